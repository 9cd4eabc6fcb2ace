# Everything a newcomer needs. `make demo` and `make test` set themselves up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MODELS ?= $(CROWDSTREAM_MODELS)
VIDEO ?=
DATA ?= $(CROWDSTREAM_TEST_DATA)

export OMP_NUM_THREADS ?= 2
export OPENBLAS_NUM_THREADS ?= 2
export MKL_NUM_THREADS ?= 2

.PHONY: demo test check lint types imports bench setup clean help

help:  ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

setup: $(STAMP)  ## virtual environment with everything (editable install)

# torch first and alone: a plain `torch` pulled in by another package would bring gigabytes of CUDA where a
# CPU wheel is at hand. The strict editable install is a link tree: it is remade when a file is added.
SOURCES := $(shell find actors configs kernels lab stream -name '*.py' 2>/dev/null | sort)
$(STAMP): pyproject.toml constraints.txt requirements-dev.txt $(SOURCES)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
	  { echo "crowdstream needs Python 3.11 or newer; set PYTHON=python3.11"; exit 1; }
	@$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/pip install -q --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -r requirements-dev.txt
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e . -C editable_mode=strict
	@touch $(STAMP)

demo: $(STAMP)  ## the main job on a clip, end to end
	@$(BIN)/crowdstream demo $(if $(VIDEO),--video $(VIDEO)) $(if $(MODELS),--models $(MODELS))

test: $(STAMP)  ## all tests
	$(BIN)/python -m pytest -q -p no:cacheprovider

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

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis out $(VENV)
