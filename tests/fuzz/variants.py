"""Many inputs from one: parts of a value are replaced, removed and repeated, by a seeded generator.

Hypothesis makes about a hundred inputs of a structure a second, and these functions make tens of thousands. The same
value and seed make the same variants, so that Hypothesis can shrink what failed.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.fuzz.inputs import ODD, ODD_ATTRIBUTES

ODD_VALUES: Sequence[Any] = (
    *ODD,
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        2**63,
        10**400,
        float("inf"),
        float("nan"),
        [],
        {},
        [[]],
        {"": {}},
        ["x"],
        [None] * 50,
    ),
)
FRAGMENTS = (
    *ODD,
    *(
        "NaN",
        "1e999",
        "-Infinity",
        "\\ud800",
        '"a":1,"a":2,',
        ",",
        ":",
        "null",
        "[[[[",
        "}}",
        "\\",
        '"',
        "\\u",
        "/",
        ".",
        "=",
    ),
)
TAGS = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS"})


def values(base: Any, count: int, seed: int) -> Iterator[Any]:
    """Variants of a JSON value."""
    chance = random.Random(seed)
    for _ in range(count):
        value = base
        for _ in range(chance.choice((1, 1, 2, 4))):
            value = _replaced(value, chance, lambda: chance.choice(ODD_VALUES), lambda _: True)
        yield value


def items(base: dict[str, Any], count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Variants of a DynamoDB item. Every value keeps the type that its tag names."""
    chance = random.Random(seed)
    for _ in range(count):
        value: Any = base
        for _ in range(chance.choice((1, 1, 2, 4))):
            value = _replaced(value, chance, lambda: chance.choice(ODD_ATTRIBUTES), _is_attribute)
        yield value if not _is_attribute(value) else base


def texts(base: str, count: int, seed: int) -> Iterator[str]:
    """Variants of a text: cut, spliced and repeated."""
    chance = random.Random(seed)
    for _ in range(count):
        text = base
        for _ in range(chance.choice((1, 1, 2, 4))):
            start, end = sorted((chance.randint(0, len(text)), chance.randint(0, len(text))))
            end = min(end, start + chance.choice((0, 1, 8, 1000)))
            text = text[:start] + chance.choice((chance.choice(FRAGMENTS), text[start:end] * 2, "")) + text[end:]
        yield text


def bodies(base: Any, count: int, seed: int) -> Iterator[str]:
    """Variants of a JSON value as text, some of them broken."""
    for number, value in enumerate(values(base, count, seed)):
        text = value if isinstance(value, str) and number % 2 else json.dumps(value)
        yield text if number % 3 else next(texts(text, 1, seed + number))


def _replaced(value: Any, chance: random.Random, odd: Callable[[], Any], is_place: Callable[[Any], bool]) -> Any:
    """The value with one part replaced, removed or repeated. Everything else is shared with the given value."""
    if not isinstance(value, dict | list) or not value or (chance.random() < 0.15 and is_place(value)):
        return odd() if is_place(value) else value
    key = chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
    copied: Any = dict(value) if isinstance(value, dict) else list(value)
    if chance.random() < 0.1 and not _is_attribute(value):
        del copied[key]
    else:
        copied[key] = _replaced(value[key], chance, odd, is_place)
    return copied


def _is_attribute(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in TAGS
