"""Each edit of a mutant changes the one place that it names, whatever the local variables there are called."""

import ast
from textwrap import dedent, indent

import pytest

from ringfence_lab.proof.mutants.edits import Drop, Edit, Find, NoPlace, Replace, SetConstant, Swap, Wrap
from ringfence_lab.proof.mutants.patterns import Letters, Place, as_expression, as_statements, fill, match

MODULE = """
    LIMIT = 60
    SHARE: int = 5

    def is_fresh(event, now):
        return event.time is None or now - event.time <= LIMIT

    class Door:
        def close(self, rules):
            self.revoke(rules)
            self.log(rules, by=self.name, at=0)
            return rules

        @property
        def name(self):
            return "door"
"""


def edited(*edits: Edit) -> str:
    tree = ast.parse(dedent(MODULE))
    letters: Letters = {}
    for edit in edits:
        letters = edit.apply(tree, letters)
    ast.fix_missing_locations(tree)
    compile(tree, "door.py", "exec")
    return ast.unparse(tree)


def test_replace_changes_an_expression_inside_a_statement() -> None:
    assert "return event.time is None or True" in edited(Replace("is_fresh", "_ <= LIMIT", "True"))


def test_replace_changes_whole_statements() -> None:
    changed = edited(
        Replace(
            "Door.close",
            "_.revoke(...)",
            """
            try:
                IT
            except ValueError:
                return None
            """,
        )
    )

    assert indent("try:\n    self.revoke(rules)\nexcept ValueError:\n    return None", " " * 8) in changed


def test_replace_keeps_what_its_letters_mean() -> None:
    assert "return event.time is None or event.time - now <= LIMIT" in edited(Replace("is_fresh", "A - B", "B - A"))


def test_a_letter_means_the_same_in_the_next_edit() -> None:
    edits = (Drop("Door.close", "S.revoke(R)"), Replace("Door.close", "return R", "return S.revoke(R)"))

    assert "return self.revoke(rules)" in edited(*edits)


def test_find_gives_letters_their_meaning_and_changes_nothing() -> None:
    find = Find("Door.close", "_.log(_, by=N, at=_)")

    assert edited(find) == edited()
    assert "return self.name" in edited(find, Replace("Door.close", "return _", "return N"))


def test_drop_removes_a_statement() -> None:
    assert "revoke" not in edited(Drop("Door.close", "_.revoke(_)"))


def test_swap_exchanges_two_statements() -> None:
    changed = edited(Swap("Door.close", "_.revoke(...)", "_.log(...)"))

    assert changed.index("log") < changed.index("revoke")


@pytest.mark.parametrize(("name", "line"), [("LIMIT", "LIMIT = 60 + 1"), ("SHARE", "SHARE: int = 5 + 1")])
def test_set_constant_changes_the_value_of_a_constant(name: str, line: str) -> None:
    assert line in edited(SetConstant(name, "IT + 1")).splitlines()


def test_wrap_calls_the_mutant_with_the_original_function() -> None:
    edit = Wrap(
        "Door.name",
        """
        def mutant(original, self):
            return original(self).upper()
        """,
    )
    names: dict[str, type] = {}

    exec(edited(edit), names)  # noqa: S102  # the module of this test

    assert names["Door"]().name == "DOOR"


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (Replace("Door.open", "_", "True"), "found 0 functions Door.open"),
        (Replace("is_fresh", "_ <= MINIMUM", "True"), "found 0 times in is_fresh: _ <= MINIMUM"),
        (Replace("is_fresh", "_.time", "0"), "found 2 times in is_fresh: _.time"),
        (Drop("Door.close", "_.open(...)"), "found 0 times in Door.close: _.open"),
        (Swap("Door.close", "_.log(...)", "_.revoke(...)"), "found 0 times in Door.close: _.log"),
        (SetConstant("MINIMUM", "0"), "found 0 times in the module: MINIMUM = "),
        (Wrap("Door", "def mutant(original): ..."), "found 0 functions Door"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_an_edit_without_exactly_one_place_says_what_it_looked_for(edit: Edit, problem: str) -> None:
    with pytest.raises(NoPlace) as raised:
        edited(edit)

    assert str(raised.value).startswith(problem)


@pytest.mark.parametrize(
    ("pattern", "source"),
    [
        ("_", "any(thing, at=all)"),
        ("f(...)", "f()"),
        ("f(...)", "f(a, *b, c=1)"),
        ("f(..., by=_)", "f(a, at=1, by=2)"),
        ("_.name(A, A)", "self.name(x.y, x.y)"),
        ("... and f() and ...", "a and f() and b"),
        ("... and f() and ...", "f() and a"),
        ("{K: V for K, V in _.items()}", "{key: row for key, row in rows.items()}"),
        ("_ if ... and f(_) else None", "a if a is not None and f(a) else None"),
    ],
)
def test_a_pattern_matches(pattern: str, source: str) -> None:
    assert match(as_expression(pattern), as_expression(source), {}) is not None


@pytest.mark.parametrize(
    ("pattern", "source"),
    [
        ("f(_)", "f()"),
        ("f(_)", "f(a, by=1)"),
        ("f(..., by=_)", "f(a)"),
        ("_.name(A, A)", "self.name(x, y)"),
        ("... and f() and ...", "a or f()"),
        ("_.time", "_.place"),
        ("LIMIT", "limit"),
        ("0", "False"),
    ],
)
def test_a_pattern_does_not_match(pattern: str, source: str) -> None:
    assert match(as_expression(pattern), as_expression(source), {}) is None


def test_a_letter_can_be_assigned_in_a_template() -> None:
    letters = match(as_expression("f(A)"), as_expression("f((rows, rules))"), {})
    assert letters is not None

    (filled,) = fill(as_statements("A = read()")[0], Place(ast.Module([], []), "body", 0, 0, letters))

    compile(ast.fix_missing_locations(ast.Module([filled], [])), "door.py", "exec")  # type: ignore[list-item]
    assert ast.unparse(filled) == "rows, rules = read()"


def test_a_letter_without_meaning_is_an_error() -> None:
    with pytest.raises(KeyError, match="A"):
        edited(Replace("is_fresh", "_ <= LIMIT", "A"))
