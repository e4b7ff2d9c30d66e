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

_WRITTEN = {
    "cidr": "CIDR",
    "regions group": "Region's group",
    "groups tag": "group's tag",
    "instances id": "instance's id",
}


def conformance_table() -> str:
    """One table for each module of the contract, under the first line of the module's docstring."""
    return "\n".join(line for path in sorted(CONTRACT.glob("test_*.py")) for line in _table(path))


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
