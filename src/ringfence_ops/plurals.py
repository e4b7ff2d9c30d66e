"""Counted things in words: `1 rule`, `2 rules`. Pure."""

from collections.abc import Sequence

_SAME_WITH_S = ("s", "x", "z", "ch", "sh")
_IRREGULAR = {
    "this": "these",
    "is": "are",
    "was": "were",
    "waits": "wait",
    "stays": "stay",
    "has": "have",
    "needs": "need",
}


def counted(number: int, word: str) -> str:
    """The number with its word: `1 rule`, `0 rules`, `2 addresses`. The last word of `word` gets the plural."""
    return f"{number} {plural(word, number)}"


def abridged(names: Sequence[str], most: int) -> str:
    """The first names, and the number of the others: `a, b and 3 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def plural(word: str, number: int) -> str:
    """The word as it stands after, or for, a number: nouns, and the few verbs that go with them."""
    if number == 1:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith(_SAME_WITH_S):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"
