"""Writes the JSON Schema of each document that `--json` prints, from the dataclasses in `ringfence_ops.documents`.

Usage: generate_schemas.py [--check]

With --check nothing is written, and the exit code is 1 where a schema is not current.
"""

import importlib
import json
import pkgutil
import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from ringfence_ops import documents

SCHEMAS = Path(documents.__file__).resolve().parent.parent / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CONFIG = ConfigDict(use_attribute_docstrings=True, extra="forbid", json_schema_serialization_defaults_required=True)


def generated() -> dict[Path, str]:
    """The text of each schema file."""
    files = {}
    for module in pkgutil.iter_modules(documents.__path__):
        found = _dataclasses(f"{documents.__name__}.{module.name}")
        (document,) = [cls for name, cls in found.items() if name.endswith("Document")]
        files[SCHEMAS / f"{module.name}.json"] = json.dumps(_schema(document), indent=2) + "\n"
    return files


def _dataclasses(module: str) -> dict[str, Any]:
    """The dataclasses in the module, with the configuration that pydantic needs on each."""
    found = {name: cls for name, cls in vars(importlib.import_module(module)).items() if is_dataclass(cls)}
    for cls in found.values():
        cls.__pydantic_config__ = _CONFIG  # type: ignore[union-attr]  # pydantic looks for it
    return found


def _schema(document: type) -> dict[str, Any]:
    schema = TypeAdapter(document).json_schema(mode="serialization")
    definitions = schema.pop("$defs", {})
    inlined = _inlined(schema, definitions)
    title = inlined["properties"]["schema"]["const"]
    return {"$schema": DIALECT, "title": title, "description": inlined.pop("description"), **inlined}


_ORDER = ("type", "const", "enum", "description", "properties", "items", "anyOf", "required", "additionalProperties")


def _inlined(part: Any, definitions: dict[str, Any]) -> Any:
    """The part of a schema with references replaced by what they refer to, and without pydantic's titles and defaults.

    A nullable type is written as `"type": ["string", "null"]`.
    """
    if isinstance(part, list):
        return [_inlined(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    if reference := part.get("$ref"):
        referred = definitions[reference.removeprefix("#/$defs/")]
        part = referred | {key: value for key, value in part.items() if key != "$ref"}
    if (choices := part.get("anyOf")) and {"type": "null"} in choices and len(choices) == 2:
        (other,) = [_inlined(choice, definitions) for choice in choices if choice != {"type": "null"}]
        described = {key: value for key, value in part.items() if key != "anyOf"}
        return _inlined(other | described | {"type": [other["type"], "null"]}, definitions)
    inlined = {key: _inlined(part[key], definitions) for key in _ORDER if key in part and key != "properties"}
    if "properties" in part:
        inlined["properties"] = {name: _inlined(value, definitions) for name, value in part["properties"].items()}
    if "description" in part:
        inlined["description"] = " ".join(part["description"].split())
    return {key: inlined[key] for key in _ORDER if key in inlined}


def main(arguments: list[str]) -> int:
    """See the module's docstring."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    outdated = {path: text for path, text in generated().items() if not path.exists() or path.read_text() != text}
    for path, text in outdated.items():
        if arguments == ["--check"]:
            print(f"{path.name} is not current: run make docs", file=sys.stderr)
        else:
            path.write_text(text)
    return int(arguments == ["--check"] and bool(outdated))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
