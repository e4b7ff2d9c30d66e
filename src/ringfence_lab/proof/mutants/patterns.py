"""Patterns: pieces of Python that match parts of a syntax tree, and templates that replace what they match.

A pattern is Python source with placeholders. It depends neither on layout and comments nor on names of local variables:

    _       any expression; as a statement of its own, any statement
    A to Z  likewise. The letter then means the same in the rest of the pattern, in the template and in later edits
    ...     any number of arguments, operands, elements or statements. The call may have more keyword arguments
    IT      only in a template: all that the pattern matched

Every other name, attribute and constant matches itself. Knows nothing of mutants or of the engine.
"""

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import dedent

Letters = Mapping[str, ast.AST]
"""What each letter means."""

_IGNORED = frozenset({"ctx", "kind", "type_comment"})
"""Fields that do not count: a letter is the same variable where it is read and where it is assigned."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pattern matches: `length` nodes of the list in the parent's `field`, from `start` on. `start` is None
    where the field holds one node."""

    parent: ast.AST
    field: str
    start: int | None
    length: int
    letters: Letters

    @property
    def nodes(self) -> list[ast.AST]:
        """What the pattern matched."""
        value = getattr(self.parent, self.field)
        return [value] if self.start is None else value[self.start : self.start + self.length]

    def replace_with(self, nodes: list[ast.AST]) -> None:
        """Puts other nodes there, at the same lines of the file."""
        first = self.nodes[0]
        for node in nodes:
            for part in ast.walk(node):
                ast.copy_location(part, first)
        if self.start is None:
            (value,) = nodes
            setattr(self.parent, self.field, value)
        else:
            getattr(self.parent, self.field)[self.start : self.start + self.length] = nodes


def as_statements(source: str) -> list[ast.stmt]:
    """The source as statements. It may be indented."""
    return ast.parse(dedent(source)).body


def as_expression(source: str) -> ast.expr | None:
    """The source as one expression; None where it is a statement, several of them, or none."""
    body = as_statements(source)
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None


def places_of_expression(pattern: ast.expr, root: ast.AST, letters: Letters) -> Iterator[Place]:
    """Every place below the root where an expression matches."""
    for parent in ast.walk(root):
        for field, value in ast.iter_fields(parent):
            for start, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(node, ast.expr) and (found := match(pattern, node, letters)) is not None:
                    yield Place(parent, field, start, 1, found)


def places_of_statements(pattern: Sequence[ast.stmt], root: ast.AST, letters: Letters) -> Iterator[Place]:
    """Every place below the root where these statements follow one another."""
    for parent in ast.walk(root):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, list) and any(isinstance(node, ast.stmt) for node in value):
                for start in range(len(value) - len(pattern) + 1):
                    found = _match_all(pattern, value[start : start + len(pattern)], letters)
                    if found is not None:
                        yield Place(parent, field, start, len(pattern), found)


def match(pattern: object, value: object, letters: Letters) -> Letters | None:
    """The letters, with those that this pattern adds. None where it does not match."""
    if isinstance(pattern, ast.AST) and isinstance(value, ast.AST):
        if _is_rest(pattern) or _name(pattern) == "_":
            return letters
        if (letter := _letter(pattern)) is not None:
            return _match_letter(letter, value, letters)
        return _match_fields(pattern, value, letters) if type(pattern) is type(value) else None
    if isinstance(pattern, list) and isinstance(value, list):
        return _match_all(pattern, value, letters)
    return letters if type(pattern) is type(value) and pattern == value else None


def fill(template: ast.AST, place: Place) -> list[ast.AST]:
    """The template with what its letters and IT mean at the place. Raises KeyError for a letter without meaning."""
    filled = _Filler(place).visit(template)
    return filled if isinstance(filled, list) else [filled]


def _match_letter(letter: str, node: ast.AST, letters: Letters) -> Letters | None:
    if letter in letters:
        return letters if match(letters[letter], node, {}) is not None else None
    return {**letters, letter: node}


def _match_fields(pattern: ast.AST, node: ast.AST, letters: Letters) -> Letters | None:
    found: Letters | None = letters
    for field in pattern._fields:
        if field in _IGNORED or found is None:
            continue
        wanted, value = getattr(pattern, field), getattr(node, field)
        if field == "keywords" and isinstance(pattern, ast.Call) and any(map(_is_rest, pattern.args)):
            named = [keyword.arg for keyword in wanted]
            value = [keyword for keyword in value if keyword.arg in named]
        found = match(wanted, value, found)
    return found


def _match_all(patterns: Sequence[object], values: Sequence[object], letters: Letters) -> Letters | None:
    if not patterns:
        return letters if not values else None
    first, rest = patterns[0], patterns[1:]
    if _is_rest(first):
        tries = (_match_all(rest, values[skipped:], letters) for skipped in range(len(values) + 1))
        return next((found for found in tries if found is not None), None)
    found = match(first, values[0], letters) if values else None
    return None if found is None else _match_all(rest, values[1:], found)


def _is_rest(node: object) -> bool:
    node = node.value if isinstance(node, ast.Expr) else node
    return isinstance(node, ast.Constant) and node.value is ...


def _name(node: ast.AST) -> str | None:
    node = node.value if isinstance(node, ast.Expr) else node
    return node.id if isinstance(node, ast.Name) else None


def _letter(node: ast.AST) -> str | None:
    name = _name(node)
    return name if name is not None and len(name) == 1 and name.isupper() else None


class _Filler(ast.NodeTransformer):
    """Replaces the placeholders of a template by copies of what they mean."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.AST]:
        """A placeholder that is a statement of its own means statements."""
        meaning = self._meaning(node)
        return meaning if meaning and isinstance(meaning[0], ast.stmt) else self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A placeholder in an expression means an expression."""
        meaning = self._meaning(node)
        if meaning is None:
            return node
        (found,) = meaning
        found = found.value if isinstance(found, ast.Expr) else found
        _set_context(found, node.ctx)
        return found

    def _meaning(self, node: ast.AST) -> list[ast.AST] | None:
        if _name(node) == "IT":
            return copy.deepcopy(self._place.nodes)
        letter = _letter(node)
        return [copy.deepcopy(self._place.letters[letter])] if letter is not None else None


def _set_context(node: ast.AST, context: ast.expr_context) -> None:
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Starred | ast.List | ast.Tuple):
        node.ctx = context
    if isinstance(node, ast.List | ast.Tuple):
        for element in node.elts:
            _set_context(element, context)
