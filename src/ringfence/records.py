"""Dataclasses as the standard library's, that cost a third of them to define.

Most invocations are cold, and the standard library compiles up to ten methods for every dataclass while it is imported:
for the engine's that was a fifth of a cold start. Here only `__init__` is compiled; the other methods are closures over
the fields' names. Whoever reads or checks a class sees an ordinary dataclass. Knows nothing of what the records hold.
"""

import dataclasses
import operator
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, slots=False, order=False):
        """As `dataclasses.dataclass`, for the parameters that there are; every field is compared and shown."""
        if cls is None:
            return partial(dataclass, frozen=frozen, slots=slots, order=order)
        made = dataclasses.dataclass(frozen=frozen, slots=slots, eq=False, repr=False)(cls)
        names = [each.name for each in dataclasses.fields(made)]
        content = operator.attrgetter(*names) if names else lambda _: ()
        comparisons = (operator.eq, operator.lt, operator.le, operator.gt, operator.ge) if order else (operator.eq,)
        methods = {f"__{compare.__name__}__": _compared(compare, content) for compare in comparisons}
        methods["__hash__"] = (lambda self: hash(content(self))) if frozen else None
        methods["__repr__"] = lambda self: _shown(self, names)
        for name, method in methods.items():
            if name not in cls.__dict__ or (name == "__hash__" and cls.__dict__[name] is None):
                setattr(made, name, method)
        return made


def _compared(compare: Callable[[Any, Any], bool], content: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """A comparison of two records of the same class, field by field."""

    def compared(self: Any, other: Any) -> Any:
        return compare(content(self), content(other)) if other.__class__ is self.__class__ else NotImplemented

    return compared


def _shown(record: object, names: list[str]) -> str:
    """The record as the call that makes it."""
    return f"{type(record).__qualname__}({', '.join(f'{name}={getattr(record, name)!r}' for name in names)})"
