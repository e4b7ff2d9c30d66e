"""Builds the Lambda artefact: the engine and its locked dependencies only. The same sources give the same bytes.

Usage: build_artefact.py DIRECTORY

`make build-RingfenceFunction`, which `sam build` calls, runs this with the directory that it zips. Needs only Python
with pip. Knows nothing of the project's own environment.
"""

import py_compile
import shutil
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

from distribution import prune_code, prune_models

PROJECT = Path(__file__).resolve().parent.parent

WHEELS = ["--platform=manylinux2014_aarch64", "--implementation=cp", "--python-version=3.13", "--only-binary=:all:"]
"""Wheels for the architecture and runtime of the function, on every machine that builds."""


def build(destination: Path) -> None:
    """Fills the directory, and creates it if it does not exist."""
    destination.mkdir(parents=True, exist_ok=True)
    install_dependencies(destination)
    keep_what_is_used(destination)
    shutil.copytree(
        PROJECT / "src" / "ringfence", destination / "ringfence", ignore=shutil.ignore_patterns("__pycache__")
    )
    compile_modules(destination)


def install_dependencies(destination: Path) -> None:
    """Installs exactly the versions that the lock names, and checks their hashes."""
    lock = PROJECT / "requirements" / "engine.txt"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--no-deps", "--require-hashes", *WHEELS, f"--target={destination}", f"--requirement={lock}"]
    subprocess.run(command, check=True)  # noqa: S603  # our own command, no shell
    shutil.rmtree(destination / "bin", ignore_errors=True)
    for record in destination.glob(
        "*.dist-info/RECORD"
    ):  # its digests of scripts depend on the path of this machine's Python
        record.unlink()


def keep_what_is_used(destination: Path) -> None:
    """Removes the descriptions of AWS operations that the engine does not call, and modules that it does not use."""
    prune_models.prune(destination / "botocore" / "data")
    prune_code.prune(destination)


def compile_modules(destination: Path) -> None:
    """Compiles all modules, so that a cold start does not. The result is valid for all time stamps that the zip gives
    to the sources, and has no docstrings, which are a fifth of what a start would read.

    Only the version of Python that compiles can use the result, so build with the version of the runtime.
    """
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for source in sorted(destination.rglob("*.py")):
        name, compiled = str(source.relative_to(destination)), cache_from_source(source)
        py_compile.compile(str(source), compiled, name, doraise=True, optimize=2, invalidation_mode=mode)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build(Path(sys.argv[1]))
