"""The Lambda artefact, built as `sam build` does, and reused while its inputs stay the same.

Runs the make target that the SAM CLI runs. Does not know what the target does.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from ringfence_ops.errors import CommandError

PROJECT = Path(__file__).resolve().parents[3]
"""The checkout, with the template and the source that are deployed."""

_INPUTS = ("Makefile", "requirements/engine.txt", "src/ringfence/**/*.py", "distribution/*.py")
_TARGET = "build-RingfenceFunction"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can record."""


class BuildFailed(CommandError):
    """The artefact could not be built. The text holds the last line of the build's output."""


def artefact(project: Path = PROJECT) -> Path:
    """The zipped artefact of the project's current state, built if there is none. Raises BuildFailed."""
    kept = project / ".build" / f"artefact-{_digest(project)}.zip"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as directory:
            built = Path(directory, "artefact")
            _build(project, built)
            zipped = Path(directory, "artefact.zip")
            _zip(built, zipped)
            for outdated in kept.parent.glob("artefact-*.zip"):
                outdated.unlink(missing_ok=True)
            zipped.rename(kept)  # atomic: a concurrent build finds the whole file or none
    return kept


def _digest(project: Path) -> str:
    """Of every input of the artefact, and of the Python that compiles it."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(path for pattern in _INPUTS for path in project.glob(pattern)):
        digest.update(f"{path.relative_to(project)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build(project: Path, destination: Path) -> None:
    make = shutil.which("make")
    if make is None:
        raise BuildFailed("building the Lambda artefact needs `make`: install it")
    command = [make, "--silent", _TARGET, f"ARTIFACTS_DIR={destination}", f"PYTHON={sys.executable}"]
    # This process may itself run under `make`, whose flags must not reach this build.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    built = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # our own command, no shell
    if built.returncode:
        output = (built.stderr or built.stdout).strip().splitlines()
        raise BuildFailed(f"`make {_TARGET}` failed: {output[-1] if output else 'it printed nothing'}")


def _zip(directory: Path, destination: Path) -> None:
    """Zips the directory reproducibly: the same files give the same bytes."""
    with zipfile.ZipFile(destination, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(path.relative_to(directory)), _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    artefact()
