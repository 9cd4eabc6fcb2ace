# Everything a newcomer needs. `make demo` and `make test` set themselves up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN_STAMP := $(VENV)/.runnable
MODELS ?= $(CROWDSTREAM_MODELS)
VIDEO ?=
CALIBRATION ?=
OUT ?= out
DATA ?= $(CROWDSTREAM_TEST_DATA)

export OMP_NUM_THREADS ?= 2
export OPENBLAS_NUM_THREADS ?= 2
export MKL_NUM_THREADS ?= 2

# make soak: the long forms; SOAK=short the same in minutes; SCENARIOS some of them
SOAK ?= long
SCENARIOS ?=

.PHONY: demo test check lint types imports bench soak setup clean help

help:  ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

setup: $(STAMP)  ## virtual environment with everything (editable install)

# torch first and alone: a plain `torch` pulled in by another package would bring gigabytes of CUDA where a
# CPU wheel is at hand. The strict editable install is a link tree: it is remade when a file is added.
SOURCES := $(shell find actors configs kernels lab stream -name '*.py' 2>/dev/null | sort)
# --no-compile: most of what these packages hold is never imported, and compiling it takes longer than copying it;
# one import compiles what a run needs, even where PYTHONDONTWRITEBYTECODE would make every process do it again.
PIP_INSTALL := $(BIN)/pip install -q --no-compile --disable-pip-version-check -c constraints.txt

$(RUN_STAMP): pyproject.toml constraints.txt $(SOURCES)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
	  { echo "crowdstream needs Python 3.11 or newer; set PYTHON=python3.11"; exit 1; }
	@$(BIN)/python -c "import torch" 2>/dev/null || $(PIP_INSTALL) torch
	$(PIP_INSTALL) -e . -C editable_mode=strict
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -P -c "import crowdstream.actors.cluster, onnxruntime"
	@touch $(RUN_STAMP)

$(STAMP): $(RUN_STAMP) requirements-dev.txt
	$(PIP_INSTALL) -r requirements-dev.txt
	@touch $(STAMP)

# What the tests need on top stays out: a newcomer waits for less.
demo: $(RUN_STAMP)  ## the main job on a clip, end to end; VIDEO=, CALIBRATION=, MODELS=, OUT= change it
	@$(BIN)/crowdstream demo --out '$(OUT)' $(if $(VIDEO),--video '$(VIDEO)') \
	  $(if $(CALIBRATION),--calibration '$(CALIBRATION)') $(if $(MODELS),--models '$(MODELS)')

test: $(STAMP)  ## all tests
	$(BIN)/python -m pytest -q -p no:cacheprovider --durations=15

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy
imports: $(STAMP)
	$(BIN)/lint-imports

check: lint types imports  ## lint, types, import rules

bench: $(STAMP)  ## benchmarks against the committed baseline (DATA: folder with mocap/)
	$(BIN)/crowdstream bench all --gate $(if $(DATA),--data $(DATA))

soak: $(RUN_STAMP)  ## long proofs with faults, hours (SOAK=short: minutes); figures into docs/reliability.md
	$(BIN)/python -P -m crowdstream.lab.soak $(SCENARIOS) --out '$(OUT)/soak' \
	  $(if $(filter short,$(SOAK)),--short,--page docs/reliability.md)

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis out $(VENV)
