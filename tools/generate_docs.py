"""Writes what is made by a command: the template's parameters, the README's table of them and its bill, the bills in
docs/cost.md, the contract's clauses in docs/conformance.md, the reference of commands and schemas in docs/cli.md; with
--demo the demo's output, with --captures the screens.

Usage: generate_docs.py [--check | --demo | --captures]

With --check nothing is written, and the exit code is 1 where one of them is not current.
"""

import re
import subprocess
import sys
from pathlib import Path

from capture_screens import captures
from cogapp import Cog  # type: ignore[import-untyped]  # ships no types
from command_reference import commands_reference, schemas_reference
from conformance_table import conformance_table
from cost_table import bill, comparison
from setting_documents import parameters_table

PROJECT = Path(__file__).resolve().parent.parent
README = PROJECT / "README.md"
CLI = PROJECT / "docs" / "cli.md"
COST = PROJECT / "docs" / "cost.md"
CONFORMANCE = PROJECT / "docs" / "conformance.md"
TEMPLATE = PROJECT / "template.yaml"


def with_generated_parts(path: Path) -> str:
    """The file with what stands between its cog markers made again."""
    return str(Cog().process_string(path.read_text(), str(path)))


def demo_output() -> str:
    """What `make demo` prints, as it is where there is no terminal."""
    command = [str(PROJECT / ".venv/bin/ringfence"), "lab", "demo"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own command
    return f"```\n{done.stdout.strip()}\n```\n"


def replaced(text: str, marker: str, content: str) -> str:
    """The text with what stands between a pair of markers replaced."""
    pattern = re.compile(f"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"there is no place for {marker}")
    return pattern.sub(lambda match: match[1] + content + match[2], text)


def main(arguments: list[str]) -> int:
    """See the module's own words."""
    if arguments not in ([], ["--check"], ["--demo"], ["--captures"]):
        print(__doc__, file=sys.stderr)
        return 2
    readme = replaced(README.read_text(), "parameters", parameters_table())
    if arguments == ["--demo"]:
        readme = replaced(readme, "demo", demo_output())
    cli = replaced(CLI.read_text(), "commands", commands_reference())
    cli = replaced(cli, "schemas", schemas_reference())
    if arguments == ["--captures"]:
        cli = replaced(cli, "captures", captures())
    clauses = replaced(CONFORMANCE.read_text(), "clauses", conformance_table())
    cost = replaced(replaced(COST.read_text(), "comparison", comparison()), "largest", bill(10, 1000))
    readme = replaced(readme, "cost", bill(2, 100))
    current = {TEMPLATE: with_generated_parts(TEMPLATE), README: readme, CONFORMANCE: clauses, CLI: cli, COST: cost}
    old = [page for page, text in current.items() if page.read_text() != text]
    if arguments == ["--check"]:
        for page in old:
            print(f"{page.relative_to(PROJECT)} is not current: run make docs", file=sys.stderr)
        return int(bool(old))
    for page in old:
        page.write_text(current[page])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
