"""Which build of `ringfence` this is: its version and its commit. Prints nothing."""

import shutil
import subprocess
from pathlib import Path

from ringfence import __version__
from ringfence_ops.cloudformation.artefact import PROJECT


def version(project: Path = PROJECT) -> str:
    """The version, with the commit where it is known: what a wheel says (distribution/shipped.py), or a checkout's."""
    commit = _shipped_commit(project) or _checked_out_commit(project)
    return f"{__version__} ({commit})" if commit else __version__


def _shipped_commit(project: Path) -> str | None:
    kept = project / "commit"
    return kept.read_text().strip() if kept.is_file() else None


def _checked_out_commit(project: Path) -> str | None:
    """The commit of the checkout itself, not of a repository around it."""
    if not (project / ".git").exists() or (git := shutil.which("git")) is None:
        return None
    command = [git, "-C", str(project), "rev-parse", "--short=12", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own command, no shell
    return found.stdout.strip() or None
