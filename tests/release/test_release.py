"""A release as a user gets it: built twice, installed into a new environment, and used from an empty directory.

`make test-release` runs this. pip installs from the index that this machine is configured for.
"""

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from ringfence import __version__
from tests.lab.test_command_line import free_port
from tests.labs import HOME, PEER

pytestmark = [pytest.mark.release, pytest.mark.timeout(1800)]

PROJECT = Path(__file__).resolve().parents[2]
GIT = ["git", "-c", "user.name=release", "-c", "user.email=release@example.com", "-c", "advice.detachedHead=false"]
BIN = "Scripts" if sys.platform == "win32" else "bin"
CHANGES = f"## {__version__}\n\n- What is released.\n\n"


def run(*command: str, cwd: Path, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a command without anything of this process's Python environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "AWS_"))}
    return subprocess.run(
        command, cwd=cwd, check=check, capture_output=True, text=True, env={**kept, **environment}, timeout=900
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean clone of what is committed, whose changelog has a section of this version."""
    directory = tmp_path_factory.mktemp("clone") / "ringfence"
    subprocess.run([*GIT, "clone", "--quiet", str(PROJECT), str(directory)], check=True)
    changelog = directory / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## Unreleased\n", CHANGES + "## Before\n", 1))
    commit = [*GIT, "-C", str(directory), "commit", "--quiet", "--allow-empty", "--all", "--message=Release"]
    subprocess.run(commit, check=True)
    return directory


def release(clone: Path, destination: Path, version: str = __version__) -> subprocess.CompletedProcess[str]:
    program = str(clone / "tools" / "release.py")
    return run(sys.executable, program, version, str(destination), cwd=clone, check=False)


@pytest.fixture(scope="module")
def dist(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make release` builds."""
    destination = tmp_path_factory.mktemp("dist")
    done = release(clone, destination)
    assert done.returncode == 0, done.stderr
    return destination


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def wheel_of(directory: Path) -> Path:
    (wheel,) = directory.glob("*.whl")
    return wheel


def test_it_has_everything_and_the_checksums_of_everything(dist: Path) -> None:
    names = digests(dist).keys()
    stem = f"ringfence-{__version__}"
    expected = {f"{stem}-py3-none-any.whl", f"{stem}.tar.gz", f"{stem}-template.yaml", f"{stem}-contents.json"}
    assert expected | {f"{stem}.cdx.json", "SHA256SUMS"} <= names
    assert len([name for name in names if re.fullmatch(rf"{re.escape(stem)}-artefact-[0-9a-f]{{16}}\.zip", name)]) == 1
    assert len(names) == 7
    lines = [line.split("  ") for line in (dist / "SHA256SUMS").read_text().splitlines()]
    sums = {name: digest for digest, name in lines}
    assert sums == {name: digest for name, digest in digests(dist).items() if name != "SHA256SUMS"}


def test_two_builds_have_the_same_bytes(clone: Path, dist: Path, tmp_path: Path) -> None:
    done = release(clone, tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "again") == digests(dist)


def test_the_sdist_builds_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    # given
    (sdist,) = dist.glob("*.tar.gz")
    # when
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    run(*pip, f"--wheel-dir={tmp_path}", str(sdist), cwd=tmp_path)
    # then
    assert digests(tmp_path) == {name: digest for name, digest in digests(dist).items() if name.endswith(".whl")}


def test_a_clean_clone_builds_a_complete_wheel_in_isolation(clone: Path, dist: Path, tmp_path: Path) -> None:
    # when
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={tmp_path}", ".", cwd=clone)
    # then
    with zipfile.ZipFile(wheel_of(tmp_path)) as built, zipfile.ZipFile(wheel_of(dist)) as released:
        assert {name for name in built.namelist() if "artefact" in name} <= set(released.namelist())
        assert set(built.namelist()) == set(released.namelist())


def test_the_sbom_names_what_the_contents_name(dist: Path) -> None:
    # given
    (sbom,), (contents,) = dist.glob("*.cdx.json"), dist.glob("*-contents.json")
    components = json.loads(sbom.read_text())
    packages = {(package["name"], package["version"]) for package in json.loads(contents.read_text())["packages"]}
    # then
    found = {(component["name"], component["version"]) for component in components["components"]}
    root = components["metadata"]["component"]
    assert {(name.replace("_", "-"), version) for name, version in found | {(root["name"], root["version"])}} == {
        (name.replace("_", "-"), version) for name, version in packages
    }
    assert all(component.get("licenses") for component in components["components"])


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_nothing_in_it_tells_where_it_was_built(dist: Path, clone: Path, kind: str) -> None:
    if kind == "wheel":
        with zipfile.ZipFile(wheel_of(dist)) as archive:
            contents = [archive.read(name) for name in archive.namelist()]
    else:
        (sdist,) = dist.glob("*.tar.gz")
        with tarfile.open(sdist) as unpacked:
            files = [member for member in unpacked.getmembers() if member.isfile()]
            contents = [taken.read() for member in files if (taken := unpacked.extractfile(member)) is not None]
    assert not [content[:80] for content in contents if str(clone).encode() in content]


@pytest.mark.parametrize(
    ("version", "said"),
    [("9.9.9", "src/ringfence/__init__.py says"), ("9.9.9", "CHANGELOG.md has no section `## 9.9.9`")],
)
def test_another_version_is_refused_with_what_to_do(clone: Path, tmp_path: Path, version: str, said: str) -> None:
    done = release(clone, tmp_path / "dist", version)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "dist").exists()


def test_a_tree_with_changes_is_refused(clone: Path, tmp_path: Path) -> None:
    (clone / "new.txt").touch()
    try:
        done = release(clone, tmp_path / "dist")
    finally:
        (clone / "new.txt").unlink()
    assert done.returncode == 1
    assert "new.txt" in done.stderr


@dataclass(frozen=True)
class Installed:
    """An environment with the release, and an empty directory."""

    environment: Path
    directory: Path

    def ringfence(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return run(
            *(str(self.environment / BIN / "ringfence"), *arguments), cwd=self.directory, check=False, **environment
        )


@pytest.fixture(scope="module")
def bare(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """`pip install dist/*.whl` in a new environment."""
    directory = tmp_path_factory.mktemp("installed")
    (directory / "empty").mkdir()
    run(sys.executable, "-m", "venv", "environment", cwd=directory)
    pip = str(directory / "environment" / BIN / "pip")
    run(pip, "install", "--quiet", str(wheel_of(dist)), cwd=directory)
    return Installed(directory / "environment", directory / "empty")


@pytest.fixture(scope="module")
def complete(bare: Installed) -> Installed:
    """The same after the command that the missing extra asks for."""
    done = bare.ringfence("lab", "demo")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    (command,) = re.findall(r"run `(.+)`", line)
    run(*shlex.split(command), cwd=bare.directory)
    return bare


def test_without_the_lab_the_operators_commands_work(bare: Installed) -> None:
    assert re.fullmatch(rf"ringfence {re.escape(__version__)} \([0-9a-f]{{12}}\)\n", bare.ringfence("--version").stdout)
    for command in ("init", "deploy", "doctor", "template"):
        done = bare.ringfence(command, "--help")
        assert done.returncode == 0, done.stderr


def test_the_demo_passes(complete: Installed) -> None:
    done = complete.ringfence("lab", "demo")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_cluster_is_made_deployed_and_judged_from_an_empty_directory(complete: Installed) -> None:
    # given a lab of the installed program
    command = [str(complete.environment / BIN / "ringfence"), "lab", "up", "--region", HOME, "--region", PEER]
    process = subprocess.Popen(
        [*command, "--port", str(free_port())],
        cwd=complete.directory,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        document = json.loads(process.stdout.readline())
        aws = {"AWS_ENDPOINT_URL": str(document["endpoint_url"]), "AWS_ACCESS_KEY_ID": "test"}
        aws |= {"AWS_SECRET_ACCESS_KEY": "test", "AWS_CONFIG_FILE": os.devnull}
        # when
        made = complete.ringfence("init", "--name", "demo", "--region", HOME, "--region", PEER, **aws)
        destroyed = complete.ringfence("destroy", "--confirm", "demo", **aws)
        deployed = complete.ringfence("deploy", "--yes", **aws)
        judged = complete.ringfence("doctor", **aws)
        template = complete.ringfence("template", **aws)
        # then
        assert made.returncode == 0, made.stderr
        assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        assert judged.returncode in (0, 2), judged.stdout + judged.stderr
        assert "traceback" not in judged.stderr.lower()
        assert json.loads(template.stdout)["Resources"]["RingfenceFunction"]
    finally:
        process.terminate()
        process.wait(timeout=30)
