"""The wheel holds everything that stands in the packages: modules, schemas and the markers of types."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = PROJECT / "src"
PACKAGES = {"ringfence", "ringfence_ops", "ringfence_lab"}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all files in the wheel, without its metadata."""
    directory = tmp_path_factory.mktemp("wheel")
    copy = directory / "project"  # setuptools leaves files where it builds
    shutil.copytree(SOURCES, copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, copy)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, f"--wheel-dir={directory}", copy], check=True, capture_output=True)
    (wheel,) = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}


def test_it_holds_every_file_of_the_packages(content: set[str]) -> None:
    files = {path.relative_to(SOURCES) for package in PACKAGES for path in (SOURCES / package).rglob("*")}
    assert content == {str(path) for path in files if (SOURCES / path).is_file() and "__pycache__" not in path.parts}


def test_every_package_says_that_it_is_typed(content: set[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= content


def test_it_holds_the_schemas_of_what_is_printed(content: set[str]) -> None:
    assert "ringfence_ops/schemas/status.json" in content
