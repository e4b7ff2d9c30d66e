"""Fixtures of the tests of the command line: a cluster of two Regions in the lab, and an operator's shell for it."""

from pathlib import Path

import pytest

from tests.end_to_end.clusters import Cluster, _two_regions, two_regions
from tests.ops.commands import Shell, shell

__all__ = ["_two_regions", "two_regions"]


@pytest.fixture
def operator(two_regions: Cluster, tmp_path: Path) -> Shell:
    """An operator's shell in a directory with a cluster file."""
    return shell(two_regions, tmp_path)
