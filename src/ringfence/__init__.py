"""The engine: all that is deployed. `reconcile` is the place to start reading."""

__version__ = "0.2.0"
