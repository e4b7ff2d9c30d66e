"""Dataclasses as the standard library's, that cost a quarter of them to define, and two thirds to make.

Most invocations are cold, and the standard library compiles up to ten methods for every dataclass while it is imported:
for the engine's that was a fifth of a cold start. Here only `__init__` is compiled; the other methods are closures over
the fields' names. Whoever reads or checks a class sees an ordinary dataclass. Knows nothing of what the records hold.
"""

import dataclasses
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, slots, frozen=False, order=False):
        """As `dataclasses.dataclass`, for the parameters that there are; every field is compared and shown.

        The slots are asked for, as everywhere, since there is no other kind.
        """
        if cls is None:
            return partial(dataclass, slots=slots, frozen=frozen, order=order)
        cls.__doc__ = cls.__doc__ or cls.__name__  # else the standard library inspects all of it to make one up
        made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
        names = [each.name for each in dataclasses.fields(made)]
        content = operator.attrgetter(*names) if names else lambda _: ()
        comparisons = (operator.eq, operator.lt, operator.le, operator.gt, operator.ge) if order else (operator.eq,)
        methods = {f"__{compare.__name__}__": _compared(compare, content) for compare in comparisons}
        methods["__init__"] = _initializer(made, frozen)
        methods["__repr__"] = lambda self: _shown(self, names)
        methods["__hash__"] = (lambda self: hash(content(self))) if frozen else None
        if frozen:
            methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
            methods["__reduce__"] = lambda self: (made, tuple(getattr(self, name) for name in names))
        for name, method in methods.items():
            if name not in cls.__dict__ or (name == "__hash__" and cls.__dict__[name] is None):
                setattr(made, name, method)
        return made


def _initializer(made: type, frozen: bool) -> Callable[..., None]:
    """The one method that is compiled. A frozen record's fields are set through their slots, which nobody refuses."""
    known: dict[str, Any] = {"_absent": dataclasses.MISSING}
    parameters, assignments = ["self"], []
    for each in dataclasses.fields(made):
        name, value = each.name, each.name
        if each.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"] = each.default_factory
            parameters.append(f"{name}=_absent")
            value = f"_make_{name}() if {name} is _absent else {name}"
        elif each.default is not dataclasses.MISSING:
            known[f"_default_{name}"] = each.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        if frozen:
            known[f"_set_{name}"] = made.__dict__[name].__set__
            assignments.append(f"_set_{name}(self, {value})")
        else:
            assignments.append(f"self.{name} = {value}")
    body = "; ".join(assignments) or "pass"
    exec(f"def __init__({', '.join(parameters)}): {body}", known)  # noqa: S102  # of our own classes' fields
    initializer: Callable[..., None] = known["__init__"]
    return initializer


def _refuse(record: object, name: str, *_: object) -> NoReturn:
    """In place of whatever would change a frozen record."""
    raise dataclasses.FrozenInstanceError(f"cannot change field {name!r} of {type(record).__qualname__}")


def _compared(compare: Callable[[Any, Any], bool], content: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """A comparison of two records of the same class, field by field."""

    def compared(self: Any, other: Any) -> Any:
        return compare(content(self), content(other)) if other.__class__ is self.__class__ else NotImplemented

    return compared


def _shown(record: object, names: Sequence[str]) -> str:
    """The record as the call that makes it."""
    return f"{type(record).__qualname__}({', '.join(f'{name}={getattr(record, name)!r}' for name in names)})"
