"""Replaces behaviour of moto at run time.

Every replacement applies to moto's own behaviour, never to an earlier replacement, so that installing twice is the same
as installing once. It must not know what is replaced.
"""

import inspect
from collections.abc import Callable
from typing import Any

_originals: dict[tuple[Any, str], Any] = {}


def original(owner: Any, name: str) -> Any:
    """Moto's own attribute of a class or module, or None."""
    return _originals.setdefault((owner, name), vars(owner).get(name))


def replace(owner: Any, **replacements: Any) -> None:
    """Replaces attributes of a class or module. A bound method also receives moto's `self`."""
    for name, replacement in replacements.items():
        original(owner, name)
        setattr(owner, name, _as_function(replacement) if inspect.ismethod(replacement) else replacement)


def wrap(owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Replaces a function by `around`, which receives moto's own function first, then its arguments."""
    inner = original(owner, name)
    replace(owner, **{name: _as_function(around, inner)})


def _as_function(call: Callable[..., Any], *first: Any) -> Callable[..., Any]:
    def function(*arguments: Any, **options: Any) -> Any:
        return call(*first, *arguments, **options)

    return function
