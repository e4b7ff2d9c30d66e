"""The table of the contract's clauses, made from its tests: the behaviour, its source, and where it is tested.

`make docs` writes it into docs/conformance.md.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CONTRACT = Path(__file__).resolve().parent.parent / "tests" / "contract"

WORLDS = "simulator, lab"
"""Where `make test` runs every clause. No clause has been run against AWS itself yet."""

_MINUTES_AND_CENTS = {
    "test_security_group_rules": (1, 0),
    "test_roster_table": (1, 1),
    "test_queue": (2, 1),
    "test_addresses": (4, 2),
    "test_lifecycle": (4, 2),
    "test_zones": (4, 2),
}
"""What one clause of a module takes on AWS at most, besides the two minutes for the stacks: minutes, and US cents."""

_COST = {0: "free", 1: "1 cent", 2: "2 cents"}

_WRITTEN = {
    "cidr": "CIDR",
    "regions group": "Region's group",
    "groups tag": "group's tag",
    "instances id": "instance's id",
}


def conformance_table() -> str:
    """One table for each module of the contract, under the first line of the module's docstring."""
    return "\n".join(line for path in sorted(CONTRACT.glob("test_*.py")) for line in _table(path))


def assumptions_table() -> str:
    """The clauses that no document of AWS states, the cheapest one first, each with the command that runs it alone."""
    found = sorted(
        (_MINUTES_AND_CENTS[path.stem], node.name)
        for path in sorted(CONTRACT.glob("test_*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and _source(node).startswith("*assumed")
    )
    rows = [
        f'| {_behaviour(name)} | {minutes} min | {_COST[cents]} | `PART="{name.removeprefix("test_")}"` |'
        for (minutes, cents), name in found
    ]
    return "\n".join(["| assumption | time | cost | `make conformance ...` with |", "|---|---|---|---|", *rows])


def _table(path: Path) -> Iterator[str]:
    module = ast.parse(path.read_text())
    title = (ast.get_docstring(module) or "").partition("\n")[0]
    yield from (f"**{title.rstrip('.')}**", "", "| behaviour | source | held in |", "|---|---|---|")
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield f"| {_behaviour(node.name)} | {_source(node)} | {WORLDS} |"
    yield ""


def _behaviour(name: str) -> str:
    """The clause's name as a sentence, with the characters that a Python name cannot have."""
    words = name.removeprefix("test_").replace("_", " ")
    for lower, written in _WRITTEN.items():
        words = re.sub(rf"\b{lower}\b", written, words)
    return words[0].upper() + words[1:]


def _source(function: ast.FunctionDef) -> str:
    """The source that the clause's decorator names. Raises SystemExit if the clause has no such decorator."""
    for decorator in function.decorator_list:
        match decorator:
            case ast.Call(
                func=ast.Name(id="documented" | "assumed" as kind), args=[ast.Constant(value=str() as source)]
            ):
                return (f"*assumed:* {source}" if kind == "assumed" else source).replace("|", "\\|")
    raise SystemExit(f"{function.name} names neither a document of AWS nor an assumption")
