"""What is deployed: the templates and the Lambda artefact, of the checkout or of the installed wheel.

A wheel carries them. In a checkout, the artefact is built as `sam build` does, and reused while its inputs stay the
same: this runs the make target that the SAM CLI runs, and does not know what the target does.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ringfence_ops.errors import CommandError

_SHIPPED = Path(__file__).resolve().parents[1] / "shipped"

PROJECT = _SHIPPED if _SHIPPED.is_dir() else Path(__file__).resolve().parents[3]
"""The directory with the templates and the artefact, or with the source that it is built of: what a wheel carries
(distribution/shipped.py), or the checkout."""

_INPUTS = ("Makefile", "requirements/engine.txt", "src/ringfence/**/*.py", "distribution/*.py")
_STACK_INPUTS = ("template.yaml", "distribution/build_template.py")
_TARGET = "build-RingfenceFunction"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can record."""


class BuildFailed(CommandError):
    """The artefact could not be built. The text holds the last line of the build's output."""


def artefact(project: Path = PROJECT) -> Path:
    """The zipped artefact of the project's current state, built if there is none. Raises BuildFailed."""
    if shipped := list(project.glob("artefact-*.zip")):
        return shipped[0]
    kept = project / ".build" / f"artefact-{_digest(project, _INPUTS)}.zip"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as directory:
            built = Path(directory, "artefact")
            _build(project, built)
            zipped = Path(directory, "artefact.zip")
            zip_directory(built, zipped)
            for outdated in kept.parent.glob("artefact-*.zip"):
                outdated.unlink(missing_ok=True)
            zipped.rename(kept)  # atomic: a concurrent build finds the whole file or none
    return kept


def is_shipped_compiled(project: Path = PROJECT) -> bool | None:
    """Whether the artefact that a wheel carries is compiled; None for a checkout, which builds its own."""
    contents = project / "contents.json"
    return bool(json.loads(contents.read_text())["compiled"]) if contents.exists() else None


def looped_template(project: Path = PROJECT) -> dict[str, Any]:
    """The template without SAM's short forms, its loops left in place. Raises BuildFailed."""
    kept = project / "stack.json"
    if not kept.exists():
        kept = project / ".build" / f"stack-{_digest(project, _STACK_INPUTS)}.json"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as directory:
            made = Path(directory, "stack.json")
            _run([sys.executable, "-m", "distribution.build_template", str(made)], project)
            for outdated in kept.parent.glob("stack-*.json"):
                outdated.unlink(missing_ok=True)
            made.rename(kept)
    looped: dict[str, Any] = json.loads(kept.read_text())
    return looped


def _digest(project: Path, inputs: Sequence[str]) -> str:
    """Of every input of what is built, and of the Python that builds it."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(path for pattern in inputs for path in project.glob(pattern)):
        digest.update(f"{path.relative_to(project)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build(project: Path, destination: Path) -> None:
    make = shutil.which("make")
    if make is None:
        raise BuildFailed("building the Lambda artefact needs `make`: install it")
    command = [make, "--silent", _TARGET, f"ARTIFACTS_DIR={destination}", f"PYTHON={sys.executable}"]
    _run(command, project, f"make {_TARGET}")


def _run(command: Sequence[str], project: Path, name: str | None = None) -> None:
    """Runs a build. `name` is the command as an error names it."""
    # This process may itself run under `make`, whose flags must not reach this build.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    built = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # our own command, no shell
    if built.returncode:
        output = (built.stderr or built.stdout).strip().splitlines()
        named = name or " ".join(command)
        raise BuildFailed(f"`{named}` failed: {output[-1] if output else 'it printed nothing'}")


def zip_directory(directory: Path, destination: Path) -> None:
    """Zips the directory reproducibly: the same files give the same bytes."""
    with zipfile.ZipFile(destination, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(path.relative_to(directory)), _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    artefact()
