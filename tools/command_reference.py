"""The reference of the command line, made from the commands' own help and from the schemas of what they print.

`make docs` writes it into docs/cli.md.
"""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from ringfence_ops.cli.main import app

PROJECT = Path(__file__).resolve().parent.parent
SCHEMAS = PROJECT / "src" / "ringfence_ops" / "schemas"


def commands_reference() -> str:
    """Every command with its usage, its words, its arguments and options, and its examples."""
    root: Any = typer.main.get_command(app)
    return "\n".join(line for name, command in _commands(root, "ringfence") for line in _described(name, command))


def schemas_reference() -> str:
    """The JSON Schema of each document that `--json` prints."""
    lines = []
    for path in sorted(SCHEMAS.glob("*.json")):
        schema = json.loads(path.read_text())
        lines += [f"### `{schema['title']}`", "", schema["description"], ""]
        lines += _properties(schema, "")
        lines.append("")
    return "\n".join(lines)


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The command and all below it, in the order in which help lists them."""
    yield name, command
    for part, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from _commands(below, f"{name} {part}")


def _described(name: str, command: Any) -> Iterator[str]:
    yield from (f"### `{name}`", "", inspect.cleandoc(command.help or "").strip(), "")
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f"    {name} {usage}", "")
    records = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    if records:
        yield from ("| argument or option | what it says |", "|---|---|")
        for written, said in records:
            yield f"| `{_cell(written)}` | {_cell(said)} |"
        yield ""
    if command.epilog:
        yield from ("```", inspect.cleandoc(command.epilog.replace("\b", "")).strip(), "```", "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _properties(schema: dict[str, Any], prefix: str) -> list[str]:
    """A row for each property, those within others by their path."""
    rows = [] if prefix else ["| key | type | what it holds |", "|---|---|---|"]
    for name, each in schema.get("properties", {}).items():
        items = each.get("items", {}) if each.get("type") == "array" else {}
        path = f"{prefix}{name}" + ("[]" if items else "")
        rows.append(f"| `{path}` | {_type(each)} | {_cell(each.get('description', ''))} |")
        rows += _properties(items or each, f"{path}.")
    return rows


def _type(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    types = schema.get("type", "any")
    return " or ".join(types) if isinstance(types, list) else str(types)
