"""Draws the diagrams of ARCHITECTURE.md as SVG files in docs/: boxes, arrows and lanes, and no script or font.

`make docs` writes them. A reader's browser shows them everywhere, light on dark pages too.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).resolve().parent.parent / "docs"

_STYLE = """text { font: 14px system-ui, sans-serif; fill: #1f2937 }
  .note { font-size: 13px; fill: #4b5563 } .name { font-weight: 600 }
  .box { fill: #eef2ff; stroke: #3f51b5; stroke-width: 1.5 }
  .store { fill: #ecfdf5; stroke: #047857; stroke-width: 1.5 }
  .arrow { fill: none; stroke: #374151; stroke-width: 1.5; marker-end: url(#head) }
  .lane { stroke: #9ca3af; stroke-dasharray: 4 4 }"""


@dataclass(frozen=True, slots=True)
class Box:
    """A box with lines of text. `x` and `y` are of its top left corner, in pixels."""

    x: int
    y: int
    width: int
    height: int
    lines: tuple[str, ...]
    kind: str = "box"

    def svg(self) -> str:
        """The box."""
        middle, first = self.x + self.width // 2, self.y + self.height // 2 - 9 * (len(self.lines) - 1) + 5
        text = "".join(
            f'<text class="{"name" if number == 0 else "line"}" x="{middle}" y="{first + 18 * number}"'
            ' text-anchor="middle">'
            f"{escape(line)}</text>"
            for number, line in enumerate(self.lines)
        )
        return (
            f'<rect class="{self.kind}" x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="8"/>'
            + text
        )


def arrow(points: str, text: str = "", at: tuple[int, int] = (0, 0), anchor: str = "middle") -> str:
    """An arrow along the points, with a note."""
    note = f'<text class="note" x="{at[0]}" y="{at[1]}" text-anchor="{anchor}">{escape(text)}</text>' if text else ""
    return f'<polyline class="arrow" points="{points}"/>{note}'


def drawing(width: int, height: int, title: str, parts: list[str]) -> str:
    """A whole SVG file."""
    body = "\n  ".join(parts)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
  <title>{escape(title)}</title>
  <style>
  {_STYLE}
  </style>
  <defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7"
    orient="auto"><path d="M0 0 10 5 0 10z" fill="#374151"/></marker></defs>
  <rect width="{width}" height="{height}" rx="10" fill="#ffffff"/>
  {body}
</svg>
"""


def life_of_an_event() -> str:
    """From the lifecycle hook to its answer."""
    boxes = [
        Box(20, 110, 140, 64, ("Auto Scaling", "lifecycle hook")),
        Box(210, 110, 130, 64, ("EventBridge", "rule")),
        Box(210, 20, 130, 52, ("Schedule", "every minute")),
        Box(385, 110, 140, 64, ("SQS FIFO queue", "one group")),
        Box(570, 110, 120, 64, ("Lambda", "the engine")),
        Box(570, 20, 120, 52, ("A person", "ringfence sync")),
        Box(860, 20, 180, 82, ("Home Region", "groups, instances,", "rules, table"), "store"),
        Box(860, 122, 180, 52, ("Every Region", "tables"), "store"),
        Box(860, 194, 180, 52, ("Every Region", "security groups"), "store"),
    ]
    arrows = [
        arrow("160,142 208,142"),
        arrow("340,142 383,142"),
        arrow("340,46 455,46 455,108"),
        arrow("525,142 568,142"),
        arrow("630,72 630,108"),
        arrow("690,126 730,126 730,61 858,61", "1 read, 2 observe", (740, 52), "start"),
        arrow("690,142 858,142", "3 publish", (740, 137), "start"),
        arrow("690,160 730,160 730,220 858,220", "4 converge", (738, 213), "start"),
        arrow("630,174 630,222 90,222 90,176", "5 complete hooks", (360, 216)),
    ]
    return drawing(1060, 266, "The life of an event", [*(box.svg() for box in boxes), *arrows])


def protocol() -> str:
    """What two Regions do at a launch, in order."""
    lanes = [
        ("us-east-1: table", 150),
        ("us-east-1: engine", 390),
        ("us-west-2: table", 630),
        ("us-west-2: groups", 860),
    ]
    parts = [
        f'<text class="name" x="{x}" y="30" text-anchor="middle">{name}</text>'
        f'<line class="lane" x1="{x}" y1="42" x2="{x}" y2="372"/>'
        for name, x in lanes
    ]
    table, engine, peer, groups = (x for _, x in lanes)
    steps = [
        (engine, table, "reads its own row: version 7"),
        (engine, engine, "observes Auto Scaling and EC2"),
        (engine, table, "writes version 8, if 7 is still there"),
        (engine, peer, "offers version 8: taken if newer"),
        (engine, groups, "reads the rules, then the rosters; adds, then removes"),
        (engine, peer, "reads the rosters once more"),
        (engine, engine, "answers the hook: the instance goes on"),
    ]
    for number, (start, end, text) in enumerate(steps):
        y = 74 + 46 * number
        label = f"{number + 1}  {text}"
        if start == end:
            parts.append(arrow(f"{start},{y - 6} {start + 26},{y - 6} {start + 26},{y + 8} {start + 3},{y + 8}"))
            parts.append(f'<text class="note" x="{start + 36}" y="{y + 5}">{escape(label)}</text>')
        else:
            left = min(start, end)
            parts.append(
                arrow(f"{start},{y} {end + (3 if end < start else -3)},{y}", label, (left + 10, y - 6), "start")
            )
    return drawing(1000, 384, "A launch in two Regions, in the order of the protocol", parts)


DIAGRAMS = {"architecture-event.svg": life_of_an_event, "architecture-protocol.svg": protocol}


def main(*, check: bool) -> int:
    """Writes the diagrams, or checks that they are current. Returns the exit code."""
    old = [name for name, draw in DIAGRAMS.items() if not _is_current(DOCS / name, draw())]
    if check:
        for name in old:
            sys.stderr.write(f"docs/{name} is not current: run make docs\n")
        return 1 if old else 0
    for name in old:
        (DOCS / name).write_text(DIAGRAMS[name](), encoding="utf-8")
    return 0


def _is_current(path: Path, content: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == content


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
