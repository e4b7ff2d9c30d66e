"""Draws the plots of docs/performance.md from the figures beside it: the same figures give the same pictures.

Usage: draw_plots.py

Runs in an environment of its own (requirements/plots.txt): no other part of the project needs matplotlib.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt  # after the backend is selected

DOCS = Path(__file__).resolve().parent.parent / "docs"
FIGURES = DOCS / "performance.json"

ENGINE, BASELINE = "#0b6e4f", "#9a9a9a"
BY_REGIONS = {2: "#7cc6a4", 5: "#2f9c74", 10: "#0b6e4f"}


def launch(figures: list[dict[str, Any]]) -> None:
    """The duration of one launch by the size of the group, for the engine and the baseline, at both latencies."""
    _, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    for axis, latency in zip(axes, ("15/70", "2/70"), strict=True):
        found = [(re.fullmatch(rf"one launch, n = (\d+), {latency} ms: .*", row["name"]), row) for row in figures]
        points = sorted((int(match[1]), row["engine"], row["baseline"]) for match, row in found if match)
        sizes, engine, baseline = zip(*points, strict=True)
        axis.plot(sizes, baseline, "o-", color=BASELINE, label="the original, rewritten")
        axis.plot(sizes, engine, "o-", color=ENGINE, label="Ringfence")
        axis.set_title(f"{latency} ms to the home Region and the peer", fontsize=9)
        axis.set_xlabel("members of the group")
        axis.set_ylim(bottom=0)
    axes[0].set_ylabel("ms until both groups are right\nand the hook is answered")
    axes[0].legend(frameon=False)
    _save("performance-launch.svg")


def scale(growth: list[dict[str, Any]]) -> None:
    """Calls and processor time of the engine by members and Regions."""
    _, axes = plt.subplots(1, 3, figsize=(11, 3.4))
    quantities = {
        "calls of one launch": [row["launch_calls"] for row in growth],
        "µs of the processor a rule made": [1e6 * row["seconds"] / row["changes"] for row in growth],
        "ms of the processor for one launch": [1e3 * row["launch_seconds"] for row in growth],
    }
    for axis, (title, quantity) in zip(axes, quantities.items(), strict=True):
        for regions, color in BY_REGIONS.items():
            found = zip(growth, quantity, strict=True)
            points = [(row["members"], number) for row, number in found if row["regions"] == regions]
            axis.plot(*zip(*points, strict=True), "o-", color=color, label=f"{regions} Regions")
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("members in each Region")
        axis.set_xscale("log")
    for axis in axes[:2]:
        axis.set_ylim(bottom=0)
    axes[2].set_yscale("log")
    axes[2].legend(frameon=False)
    _save("performance-scale.svg")


def _save(name: str) -> None:
    for axis in plt.gcf().axes:
        axis.spines[["top", "right"]].set_visible(False)
    plt.tight_layout()
    plt.savefig(DOCS / name, metadata={"Date": None, "Creator": None})
    plt.close()


def main() -> None:
    """Draws all plots. See the docstring of the module."""
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    mpl.rcParams.update({"svg.hashsalt": "ringfence", "font.size": 9, "svg.fonttype": "none"})
    document = json.loads(FIGURES.read_text())
    launch(document["figures"])
    scale(document["growth"])


if __name__ == "__main__":
    main()
