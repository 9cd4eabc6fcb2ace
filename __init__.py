"""crowdstream: streaming, incremental 3D crowd reconstruction."""

__version__ = "0.1.0"
