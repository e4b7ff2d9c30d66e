"""The source of a clause of the contract: an AWS document, or an assumption.

It must not know any world. `tools/conformance_table.py` reads these decorators for the table in docs/conformance.md.
"""

from collections.abc import Callable
from typing import TypeVar

Clause = TypeVar("Clause", bound=Callable[..., None])

SOURCE = "contract_source"


def documented(document: str) -> Callable[[Clause], Clause]:
    """The clause follows from this AWS document."""
    return _from(document)


def assumed(why: str) -> Callable[[Clause], Clause]:
    """No document states the clause; `why` is the reason for the assumption."""
    return _from(f"assumed: {why}")


def _from(source: str) -> Callable[[Clause], Clause]:
    def attach(clause: Clause) -> Clause:
        setattr(clause, SOURCE, source)
        return clause

    return attach
