"""The command that adds a missing extra: it suits how `ringfence` was installed. And the version with its commit."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ringfence import __version__
from ringfence_ops.cli import installation
from ringfence_ops.cli.version import version

INDEX, WHEEL = "", json.dumps({"url": "file:///a%20b/ringfence-1-py3-none-any.whl", "archive_info": {}})
EDITABLE = json.dumps({"url": "file:///home/a%20b/ringfence", "dir_info": {"editable": True}})
GIT = ["git", "-c", "init.defaultBranch=main"]
PYTHON = shlex.quote(sys.executable)

Recorded = Callable[[str, str], None]


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """Writes an installed distribution of this name that stands before the real one."""

    def record(origin: str, installer: str) -> None:
        directory = tmp_path / "site" / "ringfence-1.dist-info"
        directory.mkdir(parents=True)
        (directory / "METADATA").write_text("Metadata-Version: 2.1\nName: ringfence\nVersion: 1\n")
        (directory / "INSTALLER").write_text(f"{installer}\n")
        if origin:
            (directory / "direct_url.json").write_text(origin)
        monkeypatch.syspath_prepend(str(tmp_path / "site"))

    return record


@pytest.mark.parametrize(
    ("origin", "installer", "mark", "command"),
    [
        (INDEX, "pip", None, f'{PYTHON} -m pip install "ringfence[lab]"'),
        (INDEX, "uv", None, f'uv pip install --python {PYTHON} "ringfence[lab]"'),
        (INDEX, "uv", "uv-receipt.toml", 'uv tool install --force "ringfence[lab]"'),
        (INDEX, "pip", "pipx_metadata.json", 'pipx install --force "ringfence[lab]"'),
        (
            *(WHEEL, "pip", None),
            f'{PYTHON} -m pip install "ringfence[lab] @ file:///a%20b/ringfence-1-py3-none-any.whl"',
        ),
        (EDITABLE, "pip", None, f"{PYTHON} -m pip install --editable '/home/a b/ringfence[lab]'"),
    ],
    ids=["pip", "uv", "uv tool", "pipx", "a wheel", "a checkout"],
)
def test_the_command_suits_the_installation(
    recorded: Recorded, tmp_path: Path, origin: str, installer: str, mark: str | None, command: str
) -> None:
    # given
    recorded(origin, installer)
    if mark is not None:
        (tmp_path / mark).touch()
    # then
    assert installation.install_command("lab", tmp_path) == command


def test_without_an_extra_it_installs_ringfence_again(recorded: Recorded, tmp_path: Path) -> None:
    recorded(INDEX, "pip")
    assert installation.install_command(None, tmp_path) == f'{PYTHON} -m pip install "ringfence"'


def test_the_version_has_the_commit_of_the_checkout(tmp_path: Path) -> None:
    # given
    git = [*GIT, "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message=first"], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    # then
    assert version(tmp_path) == f"{__version__} ({commit[:12]})"


def test_an_installed_version_has_the_commit_that_was_built(tmp_path: Path) -> None:
    (tmp_path / "commit").write_text("0123456789ab+changes\n")
    assert version(tmp_path) == f"{__version__} (0123456789ab+changes)"


def test_a_directory_within_another_repository_has_no_commit(tmp_path: Path) -> None:
    subprocess.run([*GIT, "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / "unpacked").mkdir()
    assert version(tmp_path / "unpacked") == __version__
