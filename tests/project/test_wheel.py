"""The wheel: everything that stands in the packages, and what an installed `ringfence` deploys."""

import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ringfence import __version__
from ringfence_ops.cloudformation.artefact import artefact, looped_template

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = PROJECT / "src"
PACKAGES = {"ringfence", "ringfence_ops", "ringfence_lab"}
SHIPPED = "ringfence_ops/shipped/"
BUILT = ("pyproject.toml", "README.md", "LICENSE", "template.yaml", "distribution", "examples", "requirements", "src")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of a copy of the project that has no Git."""
    directory = tmp_path_factory.mktemp("wheel")
    copy = directory / "project"
    for name in BUILT:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copy.mkdir(exist_ok=True)
            shutil.copy(PROJECT / name, copy)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, f"--wheel-dir={directory}", copy], check=True, capture_output=True)
    (made,) = directory.glob("*.whl")
    return zipfile.ZipFile(made)


@pytest.fixture(scope="module")
def content(wheel: zipfile.ZipFile) -> set[str]:
    """The names of all files in the wheel, without its metadata."""
    return {name for name in wheel.namelist() if not name.split("/")[0].endswith(".dist-info")}


def test_it_holds_every_file_of_the_packages(content: set[str]) -> None:
    files = {path.relative_to(SOURCES) for package in PACKAGES for path in (SOURCES / package).rglob("*")}
    own = {name for name in content if not name.startswith(SHIPPED)}
    assert own == {str(path) for path in files if (SOURCES / path).is_file() and "__pycache__" not in path.parts}


def test_every_package_says_that_it_is_typed(content: set[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= content


def test_it_holds_the_schemas_of_what_is_printed(content: set[str]) -> None:
    assert "ringfence_ops/schemas/status.json" in content


def test_it_holds_the_templates(wheel: zipfile.ZipFile) -> None:
    for name in ("template.yaml", "examples/prerequisites.yaml"):
        assert wheel.read(f"{SHIPPED}{name}") == (PROJECT / name).read_bytes()
    assert json.loads(wheel.read(f"{SHIPPED}stack.json")) == looped_template()


@pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="another Python compiles it for a checkout alone")
def test_it_holds_the_artefact_as_a_checkout_builds_it(wheel: zipfile.ZipFile, content: set[str]) -> None:
    (name,) = [name for name in content if name.startswith(f"{SHIPPED}artefact-")]
    assert wheel.read(name) == artefact().read_bytes()


def test_it_says_what_is_in_the_artefact(wheel: zipfile.ZipFile) -> None:
    # given
    contents = json.loads(wheel.read(f"{SHIPPED}contents.json"))
    with zipfile.ZipFile(artefact()) as archive:
        installed = {name.split(".dist-info/")[0] for name in archive.namelist() if ".dist-info/" in name}
    # then
    packages = {f"{package['name']}-{package['version']}".replace("-", "_") for package in contents["packages"]}
    assert packages == {name.replace("-", "_") for name in installed} | {f"ringfence_{__version__}"}
    assert all(package["license"] not in ("", "unknown") for package in contents["packages"])
    assert contents["compiled"] == (sys.version_info[:2] == (3, 13))


def test_what_is_compiled_in_the_artefact_is_for_the_functions_python(
    wheel: zipfile.ZipFile, content: set[str]
) -> None:
    (name,) = [name for name in content if name.startswith(f"{SHIPPED}artefact-")]
    with zipfile.ZipFile(io.BytesIO(wheel.read(name))) as archive:
        compiled = [each for each in archive.namelist() if each.endswith(".pyc")]
    assert all(each.endswith(".cpython-313.pyc") for each in compiled)
    assert bool(compiled) == json.loads(wheel.read(f"{SHIPPED}contents.json"))["compiled"]


def test_it_names_no_commit_where_it_was_built_without_git(content: set[str]) -> None:
    assert f"{SHIPPED}commit" not in content
