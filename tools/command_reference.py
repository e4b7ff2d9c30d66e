"""The reference of the command line, from the commands' help and from the JSON Schemas of their documents.

`make docs` writes it into docs/cli.md.
"""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from ringfence_ops.cli.global_options import PANEL
from ringfence_ops.main import app

PROJECT = Path(__file__).resolve().parent.parent
SCHEMAS = PROJECT / "src" / "ringfence_ops" / "schemas"


def commands_reference() -> str:
    """Every command with its description, usage, arguments and options, and examples."""
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
    """The command and its subcommands, in the order in which help lists them."""
    yield name, command
    if not hasattr(command, "list_commands"):
        return
    context = command.make_context(name, [], resilient_parsing=True)
    for part in command.list_commands(context):
        subcommand = command.get_command(context, part)
        if not subcommand.hidden:
            yield from _commands(subcommand, f"{name} {part}")


def _described(name: str, command: Any) -> Iterator[str]:
    yield from (f"### `{name}`", "", inspect.cleandoc(command.help or "").strip(), "")
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f"    {name} {usage}", "")
    options = [option for option in command.get_params(context) if name == "ringfence" or not _is_global(option)]
    records = [record for option in options if (record := option.get_help_record(context))]
    if records:
        yield from ("| argument or option | description |", "|---|---|")
        for option, description in records:
            yield f"| `{_cell(option)}` | {_cell(description)} |"
        yield ""
    if command.epilog:
        yield from ("```", inspect.cleandoc(command.epilog.replace("\b", "")).strip(), "```", "")


def _is_global(option: Any) -> bool:
    """Whether every command takes the option: it is described once, with `ringfence`."""
    return getattr(option, "rich_help_panel", None) == PANEL


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _properties(schema: dict[str, Any], prefix: str) -> list[str]:
    """A row for each property; nested properties by their path, and those of alternatives one after the other."""
    rows = [] if prefix else ["| key | type | description |", "|---|---|---|"]
    for alternative in schema.get("anyOf", [schema]):
        for name, part in alternative.get("properties", {}).items():
            items = part.get("items", {}) if part.get("type") == "array" else {}
            path = f"{prefix}{name}" + ("[]" if items else "")
            rows.append(f"| `{path}` | {_type(part)} | {_cell(part.get('description', ''))} |")
            rows += _properties(items or part, f"{path}.")
    return rows


def _type(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    types = schema.get("type", "any")
    return " or ".join(types) if isinstance(types, list) else str(types)
