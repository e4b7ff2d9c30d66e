"""What stands where, read from the sources: no I/O in the core, one place for each kind of fact, words in every module.

The layers are contracts in pyproject.toml, which `make lint` checks.
"""

import ast
import re
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "src"
ENGINE = SOURCES / "ringfence"

IMPURE = {
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "logging",
    "os",
    "random",
    "socket",
    "subprocess",
    "threading",
    "time",
}

THIRD_PARTY = {
    "aws": {"botocore", "mypy_boto3"},
    "runtime": {"aws_lambda_powertools", "botocore"},
}
"""The packages of others that a layer of the engine may import. A module that has Powertools can log."""

ENVIRONMENT_READERS = {"runtime.entry", "runtime.handler"}
"""One of these reads the environment and passes it to `runtime.config`."""

AWS_CODE = re.compile(
    r"(Invalid\w+\.\w+|\w+Exception|RequestLimitExceeded|RulesPerSecurityGroupLimitExceeded|AccessDenied|ValidationError"
    r"|UnauthorizedOperation|DryRunOperation|ExpiredToken|RequestExpired|(\w+\.)*(QueueDoesNotExist|NonExistentQueue)"
    r"|NoSuch\w+|NotFound|40[0-9])"
)


def modules() -> dict[str, Path]:
    """The modules of the engine by their names below it."""
    return {
        ".".join(path.relative_to(ENGINE).with_suffix("").parts): path
        for path in ENGINE.rglob("*.py")
        if path.name != "__init__.py"
    }


CORE = {name: path for name, path in modules().items() if name.startswith("core.")}


def imported(path: Path) -> set[str]:
    """The modules that a module imports, at any place in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def packages_imported(path: Path) -> set[str]:
    """The top-level packages that a module imports."""
    return {name.split(".", maxsplit=1)[0] for name in imported(path)}


def third_party(path: Path) -> set[str]:
    """The packages of others that a module imports; the types of all AWS services count as one package."""
    packages = packages_imported(path) - set(sys.stdlib_module_names) - {"ringfence"}
    return {"mypy_boto3" if package.startswith("mypy_boto3_") else package for package in packages}


def codes_in(path: Path) -> set[str]:
    """The AWS error codes among a module's strings."""
    constants = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    return {text for text in constants if isinstance(text, str) and AWS_CODE.fullmatch(text)}


def test_the_core_is_found() -> None:
    assert {"core.plan", "core.guard", "core.model.rules"} <= CORE.keys()


@pytest.mark.parametrize("module", sorted(CORE))
def test_a_pure_module_knows_no_clock_no_environment_and_no_network(module: str) -> None:
    assert not packages_imported(CORE[module]) & IMPURE
    assert "datetime.now" not in CORE[module].read_text()


@pytest.mark.parametrize("module", sorted(modules()))
def test_only_the_outer_layers_import_third_party_packages(module: str) -> None:
    # This excludes the lab and the operator's command line as well.
    assert third_party(modules()[module]) <= THIRD_PARTY.get(module.split(".", maxsplit=1)[0], set())


@pytest.mark.parametrize("module", sorted(modules()))
def test_the_engine_logs_through_powertools_alone(module: str) -> None:
    assert "logging" not in imported(modules()[module])


ALL_MODULES = sorted(path for package in ("ringfence", "ringfence_ops") for path in (SOURCES / package).rglob("*.py"))


@pytest.mark.parametrize("path", ALL_MODULES, ids=lambda path: str(path.relative_to(SOURCES)))
def test_aws_error_codes_are_in_one_file(path: Path) -> None:
    assert bool(codes_in(path)) == (path == ENGINE / "aws" / "error_codes.py")


def test_what_does_not_belong_is_seen(tmp_path: Path) -> None:
    wrong = tmp_path / "plan.py"
    wrong.write_text(
        "from ringfence_lab.sim import cloud\nfrom mypy_boto3_ec2 import EC2Client\n"
        "def late() -> None:\n    import aws_lambda_powertools.logging\n"
        "CODES = ['InvalidPermission.Duplicate', 'ResourceNotFoundException', 'a sentence about an Exception']\n"
    )
    assert third_party(wrong) == {"ringfence_lab", "mypy_boto3", "aws_lambda_powertools"}
    assert packages_imported(wrong) & IMPURE == {"aws_lambda_powertools"}
    assert codes_in(wrong) == {"InvalidPermission.Duplicate", "ResourceNotFoundException"}


def test_the_environment_is_read_in_one_place() -> None:
    readers = {name for name, path in modules().items() if "os" in packages_imported(path)}
    assert len(readers) == 1
    assert readers <= ENVIRONMENT_READERS


@pytest.mark.parametrize("module", sorted(modules()))
def test_every_module_says_what_it_is_for(module: str) -> None:
    assert ast.get_docstring(ast.parse(modules()[module].read_text()))
