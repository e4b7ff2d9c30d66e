"""The table of the contract's clauses, made from the tests themselves: behaviour, source, worlds.

`generate_docs.py` writes it into docs/conformance.md.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CONTRACT = Path(__file__).resolve().parent.parent / "tests" / "contract"

WORLDS = "simulator, lab"
"""Where `make test` holds every clause. Nobody has held AWS itself to them yet."""

_WRITTEN = {
    "cidr": "CIDR",
    "regions group": "Region's group",
    "groups tag": "group's tag",
    "instances id": "instance's id",
}


def conformance_table() -> str:
    """One table for each module of the contract, under the module's own words."""
    return "\n".join(line for path in sorted(CONTRACT.glob("test_*.py")) for line in _table(path))


def _table(path: Path) -> Iterator[str]:
    module = ast.parse(path.read_text())
    words = (ast.get_docstring(module) or "").partition("\n")[0]
    yield from (f"**{words.rstrip('.')}**", "", "| behaviour | source | held in |", "|---|---|---|")
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield f"| {_behaviour(node.name)} | {_source(node)} | {WORLDS} |"
    yield ""


def _behaviour(name: str) -> str:
    """The clause's name as a sentence, with what a Python name cannot hold."""
    words = name.removeprefix("test_").replace("_", " ")
    for lower, written in _WRITTEN.items():
        words = re.sub(rf"\b{lower}\b", written, words)
    return words[0].upper() + words[1:]


def _source(function: ast.FunctionDef) -> str:
    """What the clause's decorator says. Raises SystemExit where it has none."""
    for decorator in function.decorator_list:
        match decorator:
            case ast.Call(func=ast.Name(id="documented" | "assumed" as kind), args=[ast.Constant(value=str() as said)]):
                return (f"*assumed:* {said}" if kind == "assumed" else said).replace("|", "\\|")
    raise SystemExit(f"{function.name} names no document of AWS's, nor what it assumes")
