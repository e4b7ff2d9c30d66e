"""The sizes of the code and its layers, as two tables: for ARCHITECTURE.md.

Reads the sources and the contracts in pyproject.toml. Judges nothing: `make lint` holds the code to its layers.
"""

import ast
import statistics
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grimp

PROJECT = Path(__file__).resolve().parent.parent

PACKAGES = {
    "ringfence": PROJECT / "src" / "ringfence",
    "ringfence_ops": PROJECT / "src" / "ringfence_ops",
    "ringfence_lab": PROJECT / "src" / "ringfence_lab",
    "distribution": PROJECT / "distribution",
}


def house_figures(packages: dict[str, Path] = PACKAGES, pyproject: Path = PROJECT / "pyproject.toml") -> str:
    """The sizes of each package, and the layers of each that has any."""
    return "\n".join([*_sizes(packages), "", *_layers(packages, tomllib.loads(pyproject.read_text())), ""])


def _sizes(packages: dict[str, Path]) -> Iterator[str]:
    columns = ["package", "files", "lines of a file: median / max", "functions"]
    columns += ["lines of a function: median / p90 / max", "files in a folder: max"]
    yield f"| {' | '.join(columns)} |"
    yield f"|---{'|---:' * (len(columns) - 1)}|"
    for name, directory in packages.items():
        sources = {path: text for path in sorted(directory.rglob("*.py")) if (text := path.read_text())}
        files = [len(text.splitlines()) for text in sources.values()]
        functions = [lines for text in sources.values() for lines in function_lengths(text)]
        folders = Counter(path.parent for path in sources if path.name != "__init__.py")
        yield (
            f"| `{name}` | {len(files)} | {_median(files)} / {max(files)} | {len(functions)}"
            f" | {_median(functions)} / {_percentile(functions, 90)} / {max(functions)} | {max(folders.values())} |"
        )


def function_lengths(source: str) -> list[int]:
    """The lines of each function and method, from its `def` to its last line."""
    functions = (
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in functions]


def _median(numbers: Sequence[int]) -> int:
    return round(statistics.median(numbers))


def _percentile(numbers: Sequence[int], percent: int) -> int:
    """The smallest of the numbers that at least so many percent of them do not exceed."""
    ordered = sorted(numbers)
    return ordered[-(-len(ordered) * percent // 100) - 1]


def _layers(packages: dict[str, Path], pyproject: dict[str, Any]) -> Iterator[str]:
    yield "| package | layers, the highest first | arrows between its parts |"
    yield "|---|---|---:|"
    graph = grimp.build_graph(*packages, cache_dir=None)
    for contract in pyproject["tool"]["importlinter"]["contracts"]:
        for container in contract.get("containers", ()):
            layers = [_present(graph, container, layer) for layer in contract["layers"]]
            shown = " → ".join(", ".join(f"`{part}`" for part in layer) for layer in layers if layer)
            yield f"| `{container}` | {shown} | {len(arrows(graph, container))} |"


def _present(graph: grimp.ImportGraph, container: str, layer: str) -> list[str]:
    """The parts that a contract names in one layer and that exist."""
    parts = [part.strip().strip("()") for part in layer.replace(":", "|").split("|")]
    return [part for part in parts if f"{container}.{part}" in graph.modules]


def arrows(graph: grimp.ImportGraph, container: str) -> set[tuple[str, str]]:
    """The pairs of a package's parts (folders, or modules beside them) of which one imports the other."""
    found = set()
    for importer in graph.find_descendants(container):
        for imported in graph.find_modules_directly_imported_by(importer):
            if imported.startswith(f"{container}."):
                found.add((_part(importer, container), _part(imported, container)))
    return {(importer, imported) for importer, imported in found if importer != imported}


def _part(module: str, container: str) -> str:
    return module.removeprefix(f"{container}.").split(".", maxsplit=1)[0]
