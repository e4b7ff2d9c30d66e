"""Aligned columns without lines, for people: identifiers are never cut, and the last columns wrap."""

from collections.abc import Sequence

from rich.table import Table

from ringfence_ops.cli.text import Text

Rows = Sequence[Sequence[Text]]


def widths(rows: Rows, fixed: int) -> list[int]:
    """The width of each of the first `fixed` columns, in cells."""
    return [max((row[column].cell_len for row in rows), default=0) for column in range(fixed)]


def columns(rows: Rows, fixed: int | Sequence[int]) -> Table:
    """The rows in columns. The first columns do not wrap: `fixed` is their number, or the minimum width of each."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for width in widths(rows, fixed) if isinstance(fixed, int) else fixed:
        table.add_column(no_wrap=True, min_width=width)
    for _ in range(max((len(row) for row in rows), default=0) - len(table.columns)):
        table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
