"""Compiles the modules of an artefact, so that a cold start need not.

Usage: python -I -S compile_modules.py DIRECTORY

A program of its own, because the result depends on what the interpreter has done before: a compiled module marks the
objects that something else refers to as well (CPython's `marshal`). A new interpreter that compiles the same modules in
the same order gives the same bytes. Needs only the standard library.
"""

import py_compile
import sys
from importlib.util import cache_from_source
from pathlib import Path


def compile_modules(destination: Path) -> None:
    """Compiles everything. Time stamps in the zip do not invalidate the result.

    The libraries' docstrings are left out: a start would read a fifth more. The engine's stay, because the standard
    library makes up a docstring for each dataclass that has none, and that takes longer than to read ours.
    """
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for source in sorted(destination.rglob("*.py")):
        name, compiled = str(source.relative_to(destination)), cache_from_source(source)
        level = 1 if name.startswith("ringfence/") else 2
        py_compile.compile(str(source), compiled, name, doraise=True, optimize=level, invalidation_mode=mode)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    compile_modules(Path(sys.argv[1]))
