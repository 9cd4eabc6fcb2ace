"""Compiled CPU kernels (numba). Kept apart: the shape checker of the tests cannot wrap compiled functions."""
