"""A named defect of the engine, as a patch of its source that is applied while Python imports it.

No file is written, and only a process that has not imported the engine yet can be given a mutant: each needs a fresh
one. Imports nothing of the engine, so that such a process can use it.
"""

import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType

ENGINE = "ringfence"


class OutOfDate(Exception):
    """The engine's source no longer has the text that the mutant replaces, or has it more than once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One defect. `module` is the engine's, without its package; each of `edits` is a text that occurs exactly once in
    it, and what stands there instead. `source` says who had it: a public issue, a line of ours."""

    name: str
    what: str
    source: str
    module: str
    edits: tuple[tuple[str, str], ...]

    @property
    def path(self) -> Path:
        """The file of the module."""
        package = importlib.util.find_spec(ENGINE)
        if package is None or package.origin is None:
            raise ModuleNotFoundError(ENGINE)
        return Path(package.origin).parent.joinpath(*self.module.split(".")).with_suffix(".py")

    def applied(self, source: str) -> str:
        """The module's source with the defect in it. Raises OutOfDate."""
        for old, new in self.edits:
            if (found := source.count(old)) != 1:
                raise OutOfDate(f"{self.name}: found {found} times in ringfence.{self.module}: {old!r}")
            source = source.replace(old, new)
        return source

    def install(self) -> None:
        """From now on this process imports the engine with the defect. Raises OutOfDate, and RuntimeError where the
        engine is imported already."""
        if any(name.startswith(f"{ENGINE}.") for name in sys.modules):
            raise RuntimeError("a mutant needs a process that has not imported the engine yet")
        self.applied(self.path.read_text())
        sys.meta_path.insert(0, _Finder(self))


class _Finder(MetaPathFinder):
    """Finds the one module that the mutant changes, and leaves all others to Python."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder.find_spec`."""
        if fullname != f"{ENGINE}.{self._mutant.module}":
            return None
        path = str(self._mutant.path)
        return importlib.util.spec_from_file_location(fullname, path, loader=_Loader(fullname, path, self._mutant))


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles the changed source, and neither reads nor leaves compiled code of it."""

    def __init__(self, fullname: str, path: str, mutant: Mutant) -> None:
        super().__init__(fullname, path)
        self._mutant = mutant

    def get_code(self, _fullname: str) -> CodeType:
        """See `importlib.abc.InspectLoader.get_code`."""
        return compile(self._mutant.applied(self._mutant.path.read_text()), self.path, "exec", dont_inherit=True)
