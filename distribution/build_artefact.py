"""Builds the Lambda artefact: the engine and its locked dependencies only. The same sources give the same bytes.

Usage: build_artefact.py DIRECTORY

`make build-RingfenceFunction`, which `sam build` calls, runs this with the directory that it zips. Needs only Python
with pip. Knows nothing of the project's own environment.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from distribution import prune_models

PROJECT = Path(__file__).resolve().parent.parent

RUNTIME = (3, 13)
"""The function's version of Python."""

WHEELS = ["--platform=manylinux2014_aarch64", "--implementation=cp", "--python-version=3.13", "--only-binary=:all:"]
"""Wheels for the architecture and runtime of the function, on every machine that builds."""


def build(destination: Path, *, compiled: bool = True) -> None:
    """Fills the directory, and creates it if it does not exist.

    Only the interpreter that compiles can use the result, so build with the runtime's own version of Python. A lab runs
    functions with the Python that builds.
    """
    destination.mkdir(parents=True, exist_ok=True)
    install_dependencies(destination)
    prune_models.prune(destination / "botocore" / "data")
    shutil.copytree(
        PROJECT / "src" / "ringfence", destination / "ringfence", ignore=shutil.ignore_patterns("__pycache__")
    )
    if compiled:
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


def compile_modules(destination: Path) -> None:
    """Compiles everything, in an interpreter of its own: see `distribution.compile_modules`."""
    program = PROJECT / "distribution" / "compile_modules.py"
    subprocess.run([sys.executable, "-I", "-S", str(program), str(destination)], check=True)  # noqa: S603  # our own command, no shell


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build(Path(sys.argv[1]))
