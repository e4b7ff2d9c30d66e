"""Version 0.1.0 of the engine, imported from its frozen archive next to the present one.

Its package is called `ringfence`, as ours is. So it is imported as `ringfence_0_1`, and every import of `ringfence` in
its source is rewritten. It must not know what the modules do.
"""

import importlib
import importlib.abc
import importlib.machinery
import re
import sys
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

ARCHIVE = Path(__file__).with_name("ringfence-0.1.0.zip")

PACKAGE = "ringfence_0_1"

_IMPORT = re.compile(r"^(\s*(?:from|import)) ringfence\b", re.MULTILINE)


@cache
def files() -> dict[str, bytes]:
    """Every file of the archive by its path."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class _Importer(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads the modules of the package."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != PACKAGE and not name.startswith(f"{PACKAGE}."):
            return None
        if _path_of(name) is None:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=_path_of(name), is_package=self.is_package(name))

    def is_package(self, name: str) -> bool:
        return (_path_of(name) or "").endswith("__init__.py")

    def get_source(self, name: str) -> str:
        path = _path_of(name)
        if path is None:
            raise ImportError(name)
        return _IMPORT.sub(rf"\1 {PACKAGE}", files()[path].decode())


def _path_of(name: str) -> str | None:
    """The path of a module in the archive; None if it has no such module."""
    path = "/".join(["src", "ringfence", *name.split(".")[1:]])
    return next((found for found in (f"{path}.py", f"{path}/__init__.py") if found in files()), None)


def module(name: str) -> Any:
    """A module of version 0.1.0 by its name in the package, such as `aws.roster_item`."""
    if not any(isinstance(finder, _Importer) for finder in sys.meta_path):
        sys.meta_path.append(_Importer())
    return importlib.import_module(f"{PACKAGE}.{name}")
