"""Where a clause of the contract comes from: one of AWS's documents, or an assumption.

Knows no world. `tools/conformance_table.py` reads these decorators for the table in docs/conformance.md.
"""

from collections.abc import Callable
from typing import TypeVar

Clause = TypeVar("Clause", bound=Callable[..., None])

SOURCE = "contract_source"


def documented(document: str) -> Callable[[Clause], Clause]:
    """The clause is what AWS's document of this name says."""
    return _from(document)


def assumed(why: str) -> Callable[[Clause], Clause]:
    """No document says so; `why` is what makes us believe it."""
    return _from(f"assumed: {why}")


def _from(source: str) -> Callable[[Clause], Clause]:
    def attach(clause: Clause) -> Clause:
        setattr(clause, SOURCE, source)
        return clause

    return attach
