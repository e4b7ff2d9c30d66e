"""The labs that these tests run in."""

from tests.labs import cluster, empty_lab

__all__ = ["cluster", "empty_lab"]
