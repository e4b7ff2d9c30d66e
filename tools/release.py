"""Builds a release into a directory: wheel, sdist, artefact, template, SBOM, contents and checksums.

Usage: release.py VERSION [DIRECTORY]

Builds nothing unless the checkout is what is released: no change that is not committed, this version in
src/ringfence/__init__.py, and a section of this version with content in CHANGELOG.md. The same commit gives the same
bytes with the same Python. `make release` calls it, with the environment that has cyclonedx-py in CYCLONEDX.
"""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SHIPPED = "ringfence_ops/shipped/"


def main(version: str, destination: Path) -> int:
    """Returns the exit code."""
    if problems := list(_problems(version)):
        for problem in problems:
            print(f"release: {problem}", file=sys.stderr)
        return 1
    for earlier in destination.glob("*"):
        earlier.unlink()
    destination.mkdir(parents=True, exist_ok=True)
    _build(destination)
    (wheel,) = destination.glob("*.whl")
    with zipfile.ZipFile(wheel) as built:
        _take(built, destination, version)
        _write_sbom(built, version, destination / f"ringfence-{version}.cdx.json")
    files = sorted(destination.iterdir())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (destination / "SHA256SUMS").write_text("".join(sums))
    print(f"{destination}: {', '.join(path.name for path in files)}, SHA256SUMS")
    return 0


def _problems(version: str) -> Iterator[str]:
    """What is not ready, and what to do."""
    changed = _output("git", "status", "--porcelain")
    if changed:
        yield f"the tree has changes that are not committed, such as {changed.splitlines()[0].strip()}: commit them"
    found = re.search(r'^__version__ = "(.+)"$', (PROJECT / "src/ringfence/__init__.py").read_text(), re.MULTILINE)
    if found is None or found[1] != version:
        stated = found[1] if found else "no version"
        yield f"src/ringfence/__init__.py says {stated}, not {version}: set __version__ there, and nowhere else"
    if not re.search(
        rf"^## {re.escape(version)}(?: .*)?\n\s*(?!## )\S", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE
    ):
        yield f"CHANGELOG.md has no section `## {version}` with content: rename the section of what is unreleased"


def _build(destination: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(destination)]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own command, no shell


def _take(wheel: zipfile.ZipFile, destination: Path, version: str) -> None:
    """Copies what a wheel carries, for those who deploy without it."""
    for name in wheel.namelist():
        match name.removeprefix(SHIPPED):
            case "template.yaml":
                kept = f"ringfence-{version}-template.yaml"
            case "contents.json":
                kept = f"ringfence-{version}-contents.json"
            case str(file) if re.fullmatch(r"artefact-[0-9a-f]+\.zip", file):
                kept = f"ringfence-{version}-{file}"
            case _:
                continue
        (destination / kept).write_bytes(wheel.read(name))


def _write_sbom(wheel: zipfile.ZipFile, version: str, destination: Path) -> None:
    """The CycloneDX SBOM of the artefact, by cyclonedx-py: it reads an environment that has what the artefact has."""
    (artefact,) = [name for name in wheel.namelist() if name.startswith(f"{SHIPPED}artefact-")]
    with tempfile.TemporaryDirectory() as directory:
        environment = Path(directory, "artefact")
        make = [sys.executable, "-m", "venv", "--without-pip", str(environment)]
        subprocess.run(make, check=True)  # noqa: S603  # our own command, no shell
        packages = sysconfig.get_path("purelib", "venv", {"base": str(environment), "platbase": str(environment)})
        with zipfile.ZipFile(io.BytesIO(wheel.read(artefact))) as archive:
            archive.extractall(packages, [name for name in archive.namelist() if ".dist-info/" in name])
        tool = os.environ.get("CYCLONEDX") or shutil.which("cyclonedx-py") or "cyclonedx-py"
        named = Path(directory, "pyproject.toml")  # cyclonedx-py reads no dynamic version
        named.write_text(f'[project]\nname = "ringfence"\nversion = "{version}"\nlicense = "MIT-0"\n')
        command = [tool, "environment", "--output-reproducible", f"--pyproject={named}"]
        command += [f"--output-file={destination}", str(environment)]
        subprocess.run(command, check=True)  # noqa: S603  # our own command, no shell


def _output(*command: str) -> str:
    done = subprocess.run(  # noqa: S603  # our own command, no shell
        command, cwd=PROJECT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) == 3 else PROJECT / "dist"))
