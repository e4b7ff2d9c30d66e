"""A named defect of the engine, as edits of a module's syntax tree that are made while Python imports the module.

No file is written. A mutant needs a process that has not imported the engine yet, so each gets a new one. Imports
nothing of the engine, so that such a process can use it.
"""

import ast
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType

from ringfence_lab.proof.mutants.edits import Edit, NoPlace
from ringfence_lab.proof.mutants.patterns import Letters

ENGINE = "ringfence"


class OutOfDate(Exception):
    """The engine no longer has the place that the mutant changes, or has it more than once."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One defect. `source` says where it was seen: a public issue, a rule of our protocol. `module` is the name of the
    module in the engine's package; `edits` change it one after the other."""

    name: str
    what: str
    source: str
    module: str
    edits: tuple[Edit, ...]

    @property
    def path(self) -> Path:
        """The file of the module."""
        package = importlib.util.find_spec(ENGINE)
        if package is None or package.origin is None:
            raise ModuleNotFoundError(ENGINE)
        return Path(package.origin).parent.joinpath(*self.module.split(".")).with_suffix(".py")

    def applied(self, source: str) -> ast.Module:
        """The syntax tree of the module's source with the defect in it. Raises OutOfDate."""
        tree = ast.parse(source)
        letters: Letters = {}
        for edit in self.edits:
            try:
                letters = edit.apply(tree, letters)
            except NoPlace as error:
                raise OutOfDate(f"{self.name}: {ENGINE}.{self.module}: {error}") from error
        return ast.fix_missing_locations(tree)

    def install(self) -> None:
        """Makes this process import the engine with the defect. Raises OutOfDate, and RuntimeError where the engine is
        imported already."""
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
    """Compiles the changed syntax tree. Neither reads nor writes a file of compiled code."""

    def __init__(self, fullname: str, path: str, mutant: Mutant) -> None:
        super().__init__(fullname, path)
        self._mutant = mutant

    def get_code(self, _fullname: str) -> CodeType:
        """See `importlib.abc.InspectLoader.get_code`."""
        return compile(self._mutant.applied(self._mutant.path.read_text()), self.path, "exec", dont_inherit=True)
