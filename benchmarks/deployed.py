"""The artefact as Lambda would have it: unpacked, for as long as this process lives."""

import tempfile
import zipfile
from functools import cache
from pathlib import Path

from ringfence_ops.cloudformation.artefact import artefact

_KEPT: list[tempfile.TemporaryDirectory[str]] = []
"""Goes with the process."""


@cache
def unpacked() -> Path:
    """The directory that it is unpacked in."""
    directory = tempfile.TemporaryDirectory(prefix="ringfence-bench-")
    _KEPT.append(directory)
    with zipfile.ZipFile(artefact()) as archive:
        archive.extractall(directory.name)  # what we have just built
    return Path(directory.name)
