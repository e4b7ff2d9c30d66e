"""Imports run one way, and each kind of fact has one place: read off the sources themselves."""

import ast
import re
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "src"
ENGINE = SOURCES / "ringfence"

LAYERS = [
    {"records"},
    {"lifecycle", "model"},
    {"errors", "events", "settings", "journal"},
    {"observation"},
    {"roster", "plan", "outcome"},
    {"guard", "settle"},
    {"ports"},
    {"apply"},
    {"converge"},
    {"turns", "hooks"},
    {"reconcile"},
    {"aws"},
    {"config", "telemetry"},
    {"handler"},
]
"""Modules, lowest first. One may import those of its own layer and of those below."""

PURE = set().union(*LAYERS[:6])
IMPURE = {
    "os",
    "time",
    "logging",
    "random",
    "threading",
    "socket",
    "boto3",
    "botocore",
    "subprocess",
    "aws_lambda_powertools",
}

OUTSIDE = {
    "aws": {"botocore", "mypy_boto3"},
    "telemetry": {"aws_lambda_powertools"},
    "handler": {"aws_lambda_powertools", "botocore"},
}
"""What a module may import that is neither Python's own nor the engine's. Whoever has Powertools can log."""

AWS_CODE = re.compile(
    r"(Invalid\w+\.\w+|\w+Exception|RequestLimitExceeded|RulesPerSecurityGroupLimitExceeded|AccessDenied|ValidationError"
    r"|UnauthorizedOperation|DryRunOperation|ExpiredToken|RequestExpired|(\w+\.)*(QueueDoesNotExist|NonExistentQueue)"
    r"|NoSuch\w+|NotFound|40[0-9])"
)


def modules() -> dict[str, Path]:
    return {
        str(path.relative_to(ENGINE).with_suffix("")).replace("/", "."): path
        for path in ENGINE.rglob("*.py")
        if path.name != "__init__.py"
    }


def imported(path: Path) -> set[str]:
    """The modules that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer_of(module: str) -> int:
    top = module.split(".", maxsplit=1)[0]
    return next(number for number, layer in enumerate(LAYERS) if top in layer)


def upward(module: str, path: Path) -> set[str]:
    """What a module imports of the engine from above its own layer."""
    names = {name.removeprefix("ringfence.") for name in imported(path) if name.startswith("ringfence.")}
    known = {name for name in names if any(name.split(".")[0] in layer for layer in LAYERS)}
    return {name for name in known if layer_of(name) > layer_of(module)}


def from_outside(path: Path) -> set[str]:
    """What a module imports of others' packages; the types of each AWS service are one package here."""
    tops = {name.split(".", maxsplit=1)[0] for name in imported(path)} - set(sys.stdlib_module_names) - {"ringfence"}
    return {"mypy_boto3" if top.startswith("mypy_boto3_") else top for top in tops}


def codes_in(path: Path) -> set[str]:
    """The AWS error codes among a module's strings."""
    constants = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    return {text for text in constants if isinstance(text, str) and AWS_CODE.fullmatch(text)}


def test_every_module_has_its_layer() -> None:
    assert {name.split(".")[0] for name in modules()} == set().union(*LAYERS)


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_run_one_way(module: str) -> None:
    assert upward(module, modules()[module]) == set()


def test_an_import_that_runs_the_other_way_is_seen(tmp_path: Path) -> None:
    wrong = tmp_path / "plan.py"
    wrong.write_text("def late() -> None:\n    from ringfence.reconciler.reconcile import reconcile\n")
    assert upward("plan", wrong) == {"reconcile", "reconcile.reconcile"}


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_knows_no_clock_no_environment_and_no_network(module: str) -> None:
    assert not {name.split(".")[0] for name in imported(modules()[module])} & IMPURE
    assert "datetime.now" not in modules()[module].read_text()


@pytest.mark.parametrize("module", sorted(modules()))
def test_the_engine_imports_nobody_elses_packages_but_where_they_belong(module: str) -> None:
    # That leaves out the lab and the operator's side as well.
    assert from_outside(modules()[module]) <= OUTSIDE.get(module.split(".", maxsplit=1)[0], set())


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
    assert from_outside(wrong) == {"ringfence_lab", "mypy_boto3", "aws_lambda_powertools"}
    assert codes_in(wrong) == {"InvalidPermission.Duplicate", "ResourceNotFoundException"}


@pytest.mark.parametrize("module", sorted(modules()))
def test_the_environment_is_read_in_one_place(module: str) -> None:
    reads = "os" in {name.split(".", maxsplit=1)[0] for name in imported(modules()[module])}
    assert reads <= (module == "handler")  # it hands the environment to `config`


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda path: path.name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
