"""Writes the parts of the documents that a lab is started for: the demo's output and the screens.

Usage: write_measured_parts.py [demo | screens]
"""

import subprocess
import sys
from pathlib import Path

from capture_screens import captures

from ringfence_lab.proof.sections import put_section

PROJECT = Path(__file__).resolve().parent.parent


def demo_output() -> str:
    """What `make demo` prints where there is no terminal."""
    command = [str(Path(sys.executable).with_name("ringfence")), "lab", "demo"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # our own command
    return f"```\n{done.stdout.strip()}\n```\n"


def main(arguments: list[str]) -> int:
    """Writes the parts that are named, or all."""
    if arguments not in ([], ["demo"], ["screens"]):
        print(__doc__, file=sys.stderr)
        return 2
    if arguments != ["screens"]:
        put_section(PROJECT / "README.md", "demo", demo_output())
    if arguments != ["demo"]:
        put_section(PROJECT / "docs" / "cli.md", "screens", captures())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
