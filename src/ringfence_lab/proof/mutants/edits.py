"""The edits that mutants consist of. Each changes one function, found by its qualified name, or one constant.

`Find`, `Replace`, `Drop` and `Swap` find a place inside the function by a pattern (see `patterns`). `Wrap` needs only
the function's signature, and `SetConstant` only the constant's name. Knows nothing of what the engine's functions do.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ringfence_lab.proof.mutants.patterns import (
    Letters,
    Place,
    as_expression,
    as_statements,
    fill,
    places_of_expression,
    places_of_statements,
)


class NoPlace(Exception):
    """There is no place for an edit, or more than one. The text says what it looked for."""


class Edit(Protocol):
    """One structural change of a module."""

    def apply(self, tree: ast.Module, letters: Letters) -> Letters:
        """Changes the tree. `letters` are those that the mutant's earlier edits found; returns them with its own.

        Raises NoPlace.
        """
        ...


@dataclass(frozen=True, slots=True)
class Find:
    """Finds what the letters of the pattern mean, for the edits that follow. Changes nothing."""

    function: str
    pattern: str

    def apply(self, tree: ast.Module, letters: Letters) -> Letters:
        """See `Edit.apply`."""
        return Replace(self.function, self.pattern, "IT").apply(tree, letters)


@dataclass(frozen=True, slots=True)
class Replace:
    """Replaces what matches the pattern by the template.

    Where both are expressions, it replaces the expression anywhere in a statement. Otherwise it replaces statements.
    """

    function: str
    pattern: str
    template: str

    def apply(self, tree: ast.Module, letters: Letters) -> Letters:
        """See `Edit.apply`."""
        pattern, template = as_expression(self.pattern), as_expression(self.template)
        root = _function(tree, self.function).node
        if pattern is not None and template is not None:
            place = _only(self.function, self.pattern, places_of_expression(pattern, root, letters))
            place.replace_with(fill(template, place))
        else:
            place = _place_of_statements(root, self.function, self.pattern, letters)
            statements = as_statements(self.template)
            place.replace_with([node for statement in statements for node in fill(statement, place)])
        return place.letters


@dataclass(frozen=True, slots=True)
class Drop:
    """Removes the statements that match the pattern."""

    function: str
    pattern: str

    def apply(self, tree: ast.Module, letters: Letters) -> Letters:
        """See `Edit.apply`."""
        return Replace(self.function, self.pattern, "pass").apply(tree, letters)


@dataclass(frozen=True, slots=True)
class Swap:
    """Exchanges two statements that follow one another."""

    function: str
    first: str
    second: str

    def apply(self, tree: ast.Module, letters: Letters) -> Letters:
        """See `Edit.apply`."""
        root = _function(tree, self.function).node
        place = _place_of_statements(root, self.function, f"{self.first}\n{self.second}", letters)
        place.replace_with(place.nodes[::-1])
        return place.letters


_CALLS_MUTANT = "lambda original: lambda *values, **named: mutant(original, *values, **named)"
"""The decorator of a wrapped function. A lambda binds `self` as any function does."""


@dataclass(frozen=True, slots=True)
class Wrap:
    """Calls `mutant` instead of the function: `source` defines it, and its first parameter is the original function.

    The other parameters are the function's own, by position or keyword. For a method, the second one is `self`.
    """

    function: str
    source: str

    def apply(self, tree: ast.Module, letters: Letters) -> Letters:
        """See `Edit.apply`."""
        found = _function(tree, self.function)
        found.node.decorator_list.append(ast.parse(_CALLS_MUTANT, mode="eval").body)
        index = tree.body.index(found.top)
        tree.body[index:index] = as_statements(self.source)
        return letters


@dataclass(frozen=True, slots=True)
class SetConstant:
    """Gives a constant of the module the value of the template, in which IT is the value that it has."""

    name: str
    template: str

    def apply(self, tree: ast.Module, letters: Letters) -> Letters:
        """See `Edit.apply`."""
        places = (
            Place(statement, "value", None, 1, letters)
            for statement in tree.body
            if isinstance(statement, ast.Assign | ast.AnnAssign) and self.name in _targets(statement)
        )
        place = _only("the module", f"{self.name} = ...", places)
        place.replace_with(fill(ast.parse(self.template, mode="eval").body, place))
        return place.letters


@dataclass(frozen=True, slots=True)
class _Found:
    node: ast.FunctionDef
    top: ast.stmt  # the statement of the module that holds the function


def _function(tree: ast.Module, name: str) -> _Found:
    """The function or method of that qualified name."""
    found = [_Found(node, top) for top in tree.body for node in _functions(top, name)]
    if len(found) != 1:
        raise NoPlace(f"found {len(found)} functions {name}")
    return found[0]


def _functions(node: ast.stmt, name: str) -> Iterator[ast.FunctionDef]:
    own, _, rest = name.partition(".")
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == own:
        if rest:
            for statement in node.body:
                yield from _functions(statement, rest)
        elif isinstance(node, ast.FunctionDef):
            yield node


def _targets(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _place_of_statements(root: ast.AST, where: str, pattern: str, letters: Letters) -> Place:
    return _only(where, pattern, places_of_statements(as_statements(pattern), root, letters))


def _only(where: str, pattern: str, places: Iterator[Place]) -> Place:
    found = list(places)
    if len(found) != 1:
        raise NoPlace(f"found {len(found)} times in {where}: {pattern}")
    return found[0]
