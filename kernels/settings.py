"""The base of every stage's configuration record: frozen, checked, no unknown keys.

A stage declares its own record beside its code; `configs.schema` puts them together. Units stand in the
field names, ranges in `Field(...)`, and the sentence under a field is its help text.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StageConfig(BaseModel):
    """Settings of one stage."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
