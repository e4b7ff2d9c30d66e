"""One setting as a row: its name, what values it takes, its default, and what an operator reads about it.

Pure. Knows neither the rows (see `setting_table`) nor where a value comes from: the environment, the cluster file and
the generators of documents all read and check values with what is here.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Section(Enum):
    """A group of settings, with its heading in the console and in the documents."""

    CLUSTER = "The cluster (the same in every Region)"
    REGION = "This Region"
    ADMISSION = "What is opened (the same in every Region)"
    FAILURE = "When something fails"
    SAFETY = "Safety"
    OPERATION = "Operation"


class Scope(Enum):
    """Whether a setting is the same in all Regions, or each Region has its own value."""

    CLUSTER = "cluster"
    REGION = "region"


class Use(Enum):
    """What uses a setting, and therefore whether the function has it in its environment."""

    ENGINE = "engine"  # the engine works with it: it is in the environment, and a wrong value stops the engine
    WARNING = "warning"  # the engine only compares it with other settings: a wrong or missing value stops nothing
    STACK = "stack"  # resources of the stack alone


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number within bounds (both included), or one of a few numbers."""

    unit: str
    minimum: int = 0
    maximum: int | None = None
    allowed: tuple[int, ...] = ()

    @property
    def must_be(self) -> str:
        """What a value must be, in words."""
        if self.allowed:
            return f"one of {', '.join(map(str, self.allowed))} {self.unit}"
        bounds = f"{self.minimum} or more" if self.maximum is None else f"{self.minimum} to {self.maximum}"
        return f"a whole number, {bounds} {self.unit}"

    def read(self, text: str) -> int:
        """The number. Raises ValueError for what the engine cannot work with: no number, or one below the minimum."""
        if not (text.isascii() and text.isdecimal()) or int(text) < self.minimum:
            raise ValueError(f"must be {self.must_be}, got {text}")
        return int(text)

    def limit(self, text: str) -> str | None:
        """Why a text that `read` accepts is refused when a cluster is configured; None if it is not."""
        is_allowed = int(text) in self.allowed if self.allowed else self.maximum is None or int(text) <= self.maximum
        return None if is_allowed else f"must be {self.must_be}, got {text}"


@dataclass(frozen=True, slots=True)
class Text:
    """A text, or a list of texts where `many` says what collects them.

    `parse` makes the value of one text, and raises ValueError for what the engine cannot work with. Each text is one of
    `allowed`, if there are any, and matches the whole of `pattern` (ASCII, as CloudFormation's `AllowedPattern`), if
    there is one. `must_be` says the same in words. `bounds`, if there is one, raises ValueError for a text that the
    engine can work with, and that a cluster must not be configured with.
    """

    parse: Callable[[str], Any] = str
    many: Callable[[Iterable[Any]], Any] | None = None
    allowed: tuple[str, ...] = ()
    pattern: str = ""
    must_be: str = ""
    bounds: Callable[[str], Any] | None = None

    def read(self, text: str) -> Any:
        """The value of one text. Raises ValueError."""
        if self.allowed and text not in self.allowed:
            raise ValueError(f"must be {self.must_be or 'one of ' + ', '.join(self.allowed)}, got {text!r}")
        return self.parse(text)

    def limit(self, text: str) -> str | None:
        """Why a text that `read` accepts is refused when a cluster is configured; None if it is not."""
        if self.pattern and not re.fullmatch(self.pattern, text, re.ASCII):
            return f"must be {self.must_be}, got {text!r}"
        try:
            if self.bounds is not None:
                self.bounds(text)
        except ValueError as error:
            return str(error)
        return None


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a setting. With mistakes there is no value. `limits` names what the engine can work with, and
    what is refused when a cluster is configured."""

    value: Any
    mistakes: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings.

    `default` is None where a value must be given. `key` is the path of the setting in the cluster file, if that is not
    its name; empty where the file says it in another way. `parameter` is the stack's parameter, if that is not the name
    in capitals.
    """

    name: str
    type: Number | Text
    section: Section
    label: str
    description: str
    default: int | str | None = None
    scope: Scope = Scope.CLUSTER
    use: Use = Use.ENGINE
    key: tuple[str, ...] | None = None
    parameter: str = ""

    @property
    def variable(self) -> str:
        """The function's environment variable."""
        return f"RINGFENCE_{self.name.upper()}"

    @property
    def path(self) -> tuple[str, ...]:
        """The keys that lead to the setting in the cluster file, or in a Region's table of it."""
        return (self.name,) if self.key is None else self.key

    @property
    def parameter_name(self) -> str:
        """The stack's parameter."""
        return self.parameter or "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def is_list(self) -> bool:
        """Whether the value is a list of texts."""
        return isinstance(self.type, Text) and self.type.many is not None

    @property
    def default_value(self) -> Any:
        """The default as a value; only for settings that have one."""
        return self.read(self.split(str(self.default))).value

    def split(self, text: str) -> list[str]:
        """The texts that one text holds: the parts between commas, each once, or the text itself."""
        if not self.is_list:
            return [text.strip()]
        return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))

    def read(self, texts: Sequence[str]) -> Reading:
        """The value of the texts: several for a list, else one."""
        values, mistakes, limits = [], [], []
        for text in texts:
            try:
                values.append(self.type.read(text))
            except ValueError as error:
                mistakes.append(str(error))
            else:
                limits += [said] if (said := self.type.limit(text)) else []
        if mistakes:
            return Reading(None, tuple(mistakes))
        many = self.type.many if isinstance(self.type, Text) else None
        return Reading(many(values) if many else values[0], (), tuple(limits))

    def texts(self, value: Any) -> list[str]:
        """The texts that a value is read from, in a fixed order."""
        if not self.is_list:
            return [_text(value)]
        return sorted(map(_text, value)) if isinstance(value, frozenset) else list(map(_text, value))


def matching(pattern: str, must_be: str) -> Callable[[str], str]:
    """A parser of texts that match the whole of a pattern. It raises ValueError, which says what a text must be."""

    def parse(text: str) -> str:
        if re.fullmatch(pattern, text, re.ASCII) is None:
            raise ValueError(f"must be {must_be}, got {text!r}")
        return text

    return parse


def _text(value: Any) -> str:
    """A value as it is written: an enumeration by its value."""
    return str(value.value if isinstance(value, Enum) else value)
