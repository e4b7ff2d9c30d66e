"""Aligned columns without lines, for people: identifiers are never cut, and the last columns wrap."""

from collections.abc import Sequence

from rich.table import Table

from ringfence_ops.cli.text import Text

Rows = Sequence[Sequence[Text]]


def widths(rows: Rows, fixed: int, headers: Sequence[str] = ()) -> list[int]:
    """The width of each of the first `fixed` columns, in cells."""
    titles = [len(header) for header in headers] or [0] * fixed
    return [max((titles[column], *(row[column].cell_len for row in rows))) for column in range(fixed)]


def columns(rows: Rows, fixed: int | Sequence[int], headers: Sequence[str] = ()) -> Table:
    """The rows in columns. The first columns do not wrap: `fixed` is their number, or the minimum width of each.

    Each of the `headers` stands above its column.
    """
    table = Table(box=None, show_header=bool(headers), header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    minimum = widths(rows, fixed, headers) if isinstance(fixed, int) else fixed
    for number in range(max((len(row) for row in rows), default=len(minimum))):
        header = Text(headers[number] if number < len(headers) else "")
        if number < len(minimum):
            table.add_column(header, no_wrap=True, min_width=minimum[number])
        else:
            table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
