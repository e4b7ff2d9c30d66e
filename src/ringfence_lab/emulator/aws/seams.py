"""How a behaviour of moto is replaced at run time.

Every replacement goes over moto's own behaviour, never over an earlier replacement, so that installing twice is the
same as installing once. Knows nothing of what is replaced.
"""

import inspect
from collections.abc import Callable
from typing import Any

_originals: dict[tuple[Any, str], Any] = {}


def original(owner: Any, name: str) -> Any:
    """What moto itself has under a name of a class or module, or None."""
    return _originals.setdefault((owner, name), vars(owner).get(name))


def replace(owner: Any, **replacements: Any) -> None:
    """Puts replacements under names of a class or module. One that is a bound method still gets moto's `self` too."""
    for name, replacement in replacements.items():
        original(owner, name)
        setattr(owner, name, _as_function(replacement) if inspect.ismethod(replacement) else replacement)


def wrap(owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Puts `around` under a name; it is called with moto's own function first, then with what that would get."""
    inner = original(owner, name)

    replace(owner, **{name: _as_function(around, inner)})


def _as_function(call: Callable[..., Any], *first: Any) -> Callable[..., Any]:
    def function(*arguments: Any, **options: Any) -> Any:
        return call(*first, *arguments, **options)

    return function
