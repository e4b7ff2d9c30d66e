"""The artefact, unpacked as on Lambda, until the end of this process."""

import tempfile
import zipfile
from functools import cache
from pathlib import Path

from ringfence_ops.cloudformation.artefact import artefact

_KEPT: list[tempfile.TemporaryDirectory[str]] = []
"""Deleted at the end of the process."""


@cache
def unpacked() -> Path:
    """The directory of the unpacked artefact."""
    directory = tempfile.TemporaryDirectory(prefix="ringfence-bench-")
    _KEPT.append(directory)
    with zipfile.ZipFile(artefact()) as archive:
        archive.extractall(directory.name)  # built by this project
    return Path(directory.name)
