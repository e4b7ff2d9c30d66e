"""tools/find-python: it accepts only a Python that works, and prefers 3.13."""

import subprocess
import sys
from pathlib import Path

import pytest

FIND_PYTHON = Path(__file__).resolve().parents[2] / "tools" / "find-python"


def command(directory: Path, name: str, script: str) -> Path:
    """Makes a command that runs a shell script, and returns its directory."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return directory


def python(directory: Path, name: str, version: str) -> Path:
    """Makes a Python of this version as far as the script can tell: it claims it, and runs on the one of this test."""
    major, minor = version.split(".")
    claim = f"import sys; sys.version_info = ({major}, {minor}); sys._base_executable = '{directory / name}'"
    return command(directory, name, f'code=$2; shift 2; exec {sys.executable} -c "{claim}; $code" "$@"')


def broken(directory: Path, name: str) -> Path:
    """Makes a command as a version manager makes it for a version that is not installed."""
    return command(directory, name, 'echo "version is not installed" >&2; exit 127')


def find(*path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the script where these directories are all that there is."""
    variables = {"PATH": ":".join(str(directory) for directory in path), "HOME": "/nonexistent", **environment}
    return subprocess.run(["/bin/sh", FIND_PYTHON], env=variables, capture_output=True, text=True, check=False)


def test_the_version_of_the_function_comes_before_an_older_one(tmp_path: Path) -> None:
    older, newer = python(tmp_path / "a", "python3", "3.12"), python(tmp_path / "b", "python3.13", "3.13")
    assert find(older, newer).stdout == f"{newer}/python3.13\n"


@pytest.mark.parametrize("name", ["python3", "python3.13"])
def test_a_shim_that_does_not_run_does_not_count(tmp_path: Path, name: str) -> None:
    shims, system = broken(tmp_path / "shims", name), python(tmp_path / "bin", "python3", "3.11")
    assert find(shims, system).stdout == f"{system}/python3\n"


def test_a_working_command_behind_a_broken_shim_of_the_same_name_is_found(tmp_path: Path) -> None:
    shims, system = broken(tmp_path / "shims", "python3.13"), python(tmp_path / "bin", "python3.13", "3.13")
    assert find(shims, system).stdout == f"{system}/python3.13\n"


def test_a_version_that_pyenv_has_but_does_not_select_is_found(tmp_path: Path) -> None:
    system = python(tmp_path / "bin", "python3", "3.11")
    root = tmp_path / "pyenv"
    (root / "versions" / "3.13.0").mkdir(parents=True)
    managed = python(root / "versions" / "3.13.0" / "bin", "python3", "3.13")
    assert find(system, PYENV_ROOT=str(root)).stdout == f"{managed}/python3\n"


def test_a_version_that_uv_manages_is_found(tmp_path: Path) -> None:
    managed = python(tmp_path / "managed", "python3", "3.13")
    uv = command(tmp_path / "bin", "uv", f"echo {managed}/python3")
    assert find(uv, python(tmp_path / "system", "python3", "3.11")).stdout == f"{managed}/python3\n"


def test_a_newer_python_is_used_where_3_13_is_missing(tmp_path: Path) -> None:
    system = python(tmp_path / "bin", "python3", "3.14")
    assert find(system).stdout == f"{system}/python3\n"


def test_a_python_that_can_make_no_environment_does_not_count(tmp_path: Path) -> None:
    without_venv = python(tmp_path / "a", "python3.13", "3.13")
    script = without_venv / "python3.13"
    script.write_text(script.read_text().replace("import sys;", "import sys; sys.modules['ensurepip'] = None;"))
    system = python(tmp_path / "b", "python3", "3.11")
    assert find(without_venv, system).stdout == f"{system}/python3\n"


def test_where_none_works_one_line_says_what_to_do(tmp_path: Path) -> None:
    found = find(broken(tmp_path / "shims", "python3"), python(tmp_path / "bin", "python3", "3.10"))
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.count("\n") == 1
    assert "make PYTHON=" in found.stderr
