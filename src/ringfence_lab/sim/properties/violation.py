"""A property that did not hold. Plain value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A property, by its name, and how it was violated."""

    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.name}: {self.what}"
