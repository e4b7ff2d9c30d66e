"""Fills the directory that a wheel and an sdist carry, so that an installed `ringfence` deploys without a checkout.

Usage: python -m distribution.shipped DIRECTORY

| file | what |
|---|---|
| `template.yaml`, `examples/` | as in the checkout |
| `stack.json` | the template for `ringfence template`, by `distribution.build_template` |
| `artefact-*.zip` | the function's code, by `distribution.build_artefact`; the name has its digest |
| `contents.json` | the packages in the artefact with their versions and licences |
| `commit` | what was built; absent where no Git knows |

The same commit gives the same bytes with the same Python. Needs pip and aws-sam-translator.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path

from distribution import build_artefact, build_template
from ringfence_ops.cloudformation.artefact import zip_directory

PROJECT = Path(__file__).resolve().parent.parent


def build(destination: Path) -> None:
    """Fills the directory, and creates it if it does not exist."""
    (destination / "examples").mkdir(parents=True, exist_ok=True)
    for name in ("template.yaml", "examples/prerequisites.yaml"):
        shutil.copyfile(PROJECT / name, destination / name)
    (destination / "stack.json").write_text(build_template.build())
    with tempfile.TemporaryDirectory() as directory:
        built, zipped = Path(directory, "artefact"), Path(directory, "artefact.zip")
        # What another interpreter compiles is of no use: Lambda compiles at each cold start.
        compiled = sys.version_info[:2] == build_artefact.RUNTIME
        build_artefact.build(built, compiled=compiled)
        zip_directory(built, zipped)
        digest = hashlib.sha256(zipped.read_bytes()).hexdigest()
        shutil.copyfile(zipped, destination / f"artefact-{digest[:16]}.zip")
        (destination / "contents.json").write_text(
            json.dumps(_contents(built, digest, compiled=compiled), indent=2) + "\n"
        )
    if (commit := commit_of(PROJECT)) is not None:
        (destination / "commit").write_text(f"{commit}\n")


def commit_of(project: Path) -> str | None:
    """The commit of a checkout, and whether files have changed since; None without Git."""
    if not (project / ".git").exists() or (git := shutil.which("git")) is None:
        return None

    def answer(*arguments: str) -> str:
        command = [git, "-C", str(project), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  # our own command, no shell

    try:
        changed = bool(answer("status", "--porcelain"))
        return answer("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")
    except subprocess.CalledProcessError:  # as in a checkout of another user
        return None


def _contents(artefact: Path, digest: str, *, compiled: bool) -> dict[str, object]:
    """What the artefact has: each package with its version and its licence."""
    return {
        "sha256": digest,
        "compiled": compiled,
        "packages": [
            {"name": "ringfence", "version": _own_version(), "license": "MIT-0"},
            *sorted(_packages(artefact), key=lambda package: package["name"].lower()),
        ],
    }


def _packages(artefact: Path) -> Iterator[dict[str, str]]:
    for path in artefact.glob("*.dist-info/METADATA"):
        metadata = Parser().parsestr(path.read_text(encoding="utf-8"), headersonly=True)
        yield {"name": str(metadata["Name"]), "version": str(metadata["Version"]), "license": _license(metadata)}


def _license(metadata: Message) -> str:
    """The licence as the package states it: an SPDX expression, or the classifiers or the text of older packages."""
    classifiers = [value for value in metadata.get_all("Classifier", []) if value.startswith("License ::")]
    classified = ", ".join(value.rpartition(" :: ")[2] for value in classifiers)
    return str(metadata["License-Expression"] or classified or metadata["License"] or "unknown")


def _own_version() -> str:
    found = re.search(r'^__version__ = "(.+)"$', (PROJECT / "src/ringfence/__init__.py").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError("src/ringfence/__init__.py has no __version__")
    return found[1]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build(Path(sys.argv[1]))
