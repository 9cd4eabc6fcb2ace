"""Whether a compiled kernel lies in its cache, or would be compiled on first use."""

from __future__ import annotations

from typing import Any


def is_cached(kernel: Any) -> bool:
    """True when numba's cache holds machine code of the kernel's present source for this processor.

    Reads numba's own index (no public call tells); any surprise there counts as "not cached", which costs a
    compilation and nothing else.
    """
    try:
        return bool(kernel._cache._cache_file._load_index())
    except Exception:
        return False
