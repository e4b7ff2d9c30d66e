"""Imports run one way, and each kind of fact has one place: read off the sources themselves."""

import ast
import re
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[2] / "src" / "ringfence"

LAYERS = [
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

PURE = set().union(*LAYERS[:5])
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

AWS_CODE = re.compile(r"(Invalid\w+\.\w+|\w+Exception|RequestLimitExceeded|RulesPerSecurityGroupLimitExceeded)")


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


def test_every_module_has_its_layer() -> None:
    assert {name.split(".")[0] for name in modules()} == set().union(*LAYERS)


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_run_one_way(module: str) -> None:
    assert upward(module, modules()[module]) == set()


def test_an_import_that_runs_the_other_way_is_seen(tmp_path: Path) -> None:
    wrong = tmp_path / "plan.py"
    wrong.write_text("def late() -> None:\n    from ringfence.reconcile import reconcile\n")
    assert upward("plan", wrong) == {"reconcile", "reconcile.reconcile"}


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_knows_no_clock_no_environment_and_no_network(module: str) -> None:
    assert not {name.split(".")[0] for name in imported(modules()[module])} & IMPURE
    assert "datetime.now" not in modules()[module].read_text()


@pytest.mark.parametrize("module", sorted(modules()))
def test_the_engine_knows_neither_the_lab_nor_the_operators_side(module: str) -> None:
    assert not any(name.startswith(("ringfence_lab", "ringfence_ops")) for name in imported(modules()[module]))


@pytest.mark.parametrize("module", sorted(modules()))
def test_aws_error_codes_stand_in_one_file(module: str) -> None:
    strings = {
        node.value
        for node in ast.walk(ast.parse(modules()[module].read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    codes = {text for text in strings if AWS_CODE.fullmatch(text)}
    assert bool(codes) == (module == "aws.faults")


@pytest.mark.parametrize("module", sorted(modules()))
def test_the_environment_is_read_in_one_place(module: str) -> None:
    reads = "os" in {name.split(".", maxsplit=1)[0] for name in imported(modules()[module])}
    assert reads <= (module == "handler")  # it hands the environment to `config`


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda path: path.name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
