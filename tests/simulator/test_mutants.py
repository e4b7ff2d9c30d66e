"""The simulator catches every mutant, and every mutant finds its place in the engine."""

import ast
import builtins
import importlib
import subprocess
import symtable
import sys
from collections.abc import Iterator

import pytest

from ringfence_lab.proof.mutants.catalogue import BY_NAME, MUTANTS
from ringfence_lab.proof.mutants.edits import Drop, Replace
from ringfence_lab.proof.mutants.hunt import hunt, known_catches, section
from ringfence_lab.proof.mutants.mutation import Mutant, OutOfDate
from ringfence_lab.proof.mutants.trial import CRASH, Catch, Proof, Verdict

SUFFIX = "_renamed"


def rewritten(source: str) -> str:
    """The same module with other names of all local variables and parameters (but not `self`), without docstrings and
    comments, in another layout, and with its statements and those of its classes in the opposite order."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            node.body.reverse()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = without_docstrings(node.body)
        if isinstance(node, ast.FunctionDef):
            rename_locals(node)
    return ast.unparse(tree)


def rename_locals(function: ast.FunctionDef) -> None:
    """Adds the suffix to each parameter and each name that the function assigns, wherever the function uses it."""
    own = {name for node in ast.walk(function) for name in assigned(node)} - {"self"}
    for node in ast.walk(function):
        for field in ("id", "arg", "name"):
            name = getattr(node, field, None)
            if name in own and not isinstance(node, ast.keyword):
                setattr(node, field, f"{name}{SUFFIX}")


def assigned(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return [name]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            return [name]
    return []


def without_docstrings(body: list[ast.stmt]) -> list[ast.stmt]:
    kept = [statement for statement in body if not is_docstring(statement)]
    return kept or [ast.Pass()]


def is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def normal_form(tree: ast.Module) -> str:
    """The module as text that is the same for a module and its rewritten form."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = without_docstrings(node.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            node.body.sort(key=plain)
    return plain(tree)


def plain(tree: ast.AST) -> str:
    return ast.unparse(tree).replace(SUFFIX, "")


def unknown_names(tree: ast.Module) -> set[str]:
    """Names that functions of the module read and that nothing defines."""
    module = symtable.symtable(ast.unparse(tree), "module", "exec")
    known = {*module.get_identifiers(), *dir(builtins)}
    return {
        symbol.get_name()
        for table in tables(module)
        for symbol in table.get_symbols()
        if symbol.is_global() and symbol.get_name() not in known
    }


def tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from tables(child)


def test_every_mutant_has_its_own_name() -> None:
    assert len(BY_NAME) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_changes_the_engine_as_it_is_now(mutant: Mutant) -> None:
    source = mutant.path.read_text()

    changed = mutant.applied(source)

    assert ast.dump(changed) != ast.dump(ast.parse(source))
    compile(changed, str(mutant.path), "exec")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_finds_its_place_after_the_module_is_rewritten(mutant: Mutant) -> None:
    source = mutant.path.read_text()

    changed = mutant.applied(rewritten(source))

    assert unknown_names(changed) == set()
    assert normal_form(changed) == normal_form(mutant.applied(source))


def test_the_rewritten_module_has_other_names_and_another_order() -> None:
    source = """
def first(roster):
    '''Documented.'''
    try:
        members = [one for one in roster.members]
    except ValueError as error:
        return first(roster=error)
    return members


LIMIT = 1
"""

    assert (
        rewritten(source)
        == """
LIMIT = 1

def first(roster_renamed):
    try:
        members_renamed = [one_renamed for one_renamed in roster_renamed.members]
    except ValueError as error_renamed:
        return first(roster=error_renamed)
    return members_renamed
""".strip()
    )


def test_a_mutant_whose_place_is_gone_is_out_of_date() -> None:
    mutant = Mutant("gone", "", "", "core.plan", (Drop("plan_group", "_.no_such_call(...)"),))

    with pytest.raises(OutOfDate, match=r"gone: ringfence\.core\.plan: found 0 times in plan_group: _\.no_such_call"):
        mutant.applied(mutant.path.read_text())


def test_a_mutant_whose_place_occurs_twice_is_out_of_date() -> None:
    mutant = Mutant("twice", "", "", "core.plan", (Replace("plan_group", "tuple(sorted(_))", "()"),))

    with pytest.raises(OutOfDate, match=r"twice: ringfence\.core\.plan: found 5 times in plan_group"):
        mutant.applied(mutant.path.read_text())


def test_a_process_that_has_imported_the_engine_takes_no_mutant() -> None:
    importlib.import_module("ringfence.core.guard")

    with pytest.raises(RuntimeError, match="has not imported the engine yet"):
        MUTANTS[0].install()


def test_a_mutant_is_imported_instead_of_the_module_and_leaves_no_file() -> None:
    mutant = BY_NAME["second-look-at-once"]
    before = mutant.path.read_text()
    code = (
        "from ringfence_lab.proof.mutants.catalogue import BY_NAME;"
        f"BY_NAME[{mutant.name!r}].install();"
        "import ringfence.core.guard; print(ringfence.core.guard.AGREES_AFTER, ringfence.core.guard.__file__)"
    )

    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert said.stdout.split() == ["0", str(mutant.path)]
    assert mutant.path.read_text() == before


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_simulator_catches_every_mutant(mutant: Mutant) -> None:
    (verdict,) = hunt([mutant], known=known_catches())

    assert verdict.catch is not None
    assert verdict.phase != CRASH


def test_the_section_names_a_mutant_that_nothing_caught() -> None:
    name = MUTANTS[0].name

    text = section([Verdict(name, runs=7)], 7, 1.0)

    assert "**0 of 1 mutants are caught**" in text
    assert f"| {name} |" in text
    assert "**nothing**" in text


def test_a_catch_that_catches_no_more_is_only_tried_first() -> None:
    mutant = BY_NAME["second-look-at-once"]
    gone = Catch(Proof.SCENARIO, "no such scenario", kill="kill-before call 3")

    (verdict,) = hunt([mutant], known={mutant.name: gone})

    assert verdict.catch is not None
    assert verdict.catch != gone


def test_the_known_catch_of_a_mutant_is_one_run() -> None:
    mutant = BY_NAME["second-look-at-once"]
    (first,) = hunt([mutant])
    assert first.catch is not None

    (again,) = hunt([mutant], known={mutant.name: first.catch})

    assert (again.catch, again.runs) == (first.catch, 1)
