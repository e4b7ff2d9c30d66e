"""Our dataclasses beside the standard library's: whoever uses one notices no difference."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.records import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Ours:
    """Two that are needed, one that is not, and one that is made anew for each."""

    number: int
    text: str
    known: bool = True
    more: list[int] = field(default_factory=list)

    @property
    def doubled(self) -> int:
        return 2 * self.number


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Theirs:
    """The same, by the standard library."""

    number: int
    text: str
    known: bool = True
    more: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Changing:
    """One that is not frozen."""

    count: int = 0
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Named:
    """One that says by itself how it looks and what it is hashed by."""

    name: str

    def __hash__(self) -> int:
        return 7

    def __str__(self) -> str:
        return self.name


contents = st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.booleans(), st.lists(st.integers(0, 1), max_size=1))


@given(contents, contents)
def test_records_compare_and_look_as_the_standard_library_has_it(one: Any, other: Any) -> None:
    ours, theirs = (Ours(*one), Ours(*other)), (Theirs(*one), Theirs(*other))

    assert (ours[0] == ours[1]) is (theirs[0] == theirs[1])
    assert (ours[0] < ours[1]) is (theirs[0] < theirs[1])
    assert (ours[0] >= ours[1]) is (theirs[0] >= theirs[1])
    assert repr(ours[0]).removeprefix("Ours") == repr(theirs[0]).removeprefix("Theirs")


def test_records_are_made_as_the_standard_library_has_it() -> None:
    ours, theirs = inspect.signature(Ours), inspect.signature(Theirs)

    assert list(ours.parameters) == list(theirs.parameters)
    assert Ours(1, "a") == Ours(text="a", number=1, known=True, more=[])
    nothing: tuple[Any, ...] = ()
    for wrong in (nothing, (1,), (1, "a", True, [], 5)):
        with pytest.raises(TypeError):
            Ours(*wrong)
    with pytest.raises(TypeError):
        Ours(1, "a", other=2)  # type: ignore[call-arg]  # the mistake


def test_what_is_made_anew_for_each_is_nobody_elses() -> None:
    first, second = Changing(), Changing()

    first.names.append("x")
    first.count += 1

    assert (second.count, second.names) == (0, [])


def test_nobody_changes_what_is_frozen() -> None:
    frozen = Ours(1, "a")

    with pytest.raises(dataclasses.FrozenInstanceError, match="number"):
        frozen.number = 2  # type: ignore[misc]  # the mistake
    with pytest.raises(dataclasses.FrozenInstanceError, match="number"):
        del frozen.number
    with pytest.raises((AttributeError, TypeError)):
        frozen.doubled = 3  # type: ignore[misc]  # the mistake
    assert frozen == Ours(1, "a")


def test_only_what_is_frozen_can_be_a_key() -> None:
    assert len({Named("a"), Named("a"), Named("b")}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Changing())


def test_what_a_class_says_by_itself_stays() -> None:
    assert (hash(Named("a")), str(Named("a")), repr(Named("a"))) == (7, "a", "Named(name='a')")
    assert Ours(4, "a").doubled == 8


def test_records_are_copied_replaced_and_sent_to_other_processes() -> None:
    one = Ours(1, "a", more=[3])

    assert dataclasses.replace(one, number=2) == Ours(2, "a", more=[3])
    assert [each.name for each in dataclasses.fields(one)] == ["number", "text", "known", "more"]
    assert copy.deepcopy(one) == one
    assert copy.deepcopy(one).more is not one.more
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301  # of our own making


def test_records_of_two_classes_are_never_equal() -> None:
    assert Ours(1, "a").__eq__(Theirs(1, "a")) is NotImplemented
    assert Theirs(1, "a").__eq__(Ours(1, "a")) is NotImplemented
