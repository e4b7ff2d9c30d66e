"""The generated parts of documents: what cog writes, what it leaves alone, and the figures of the code."""

import subprocess
import sys
from pathlib import Path

import grimp
import house_figures

from ringfence_lab.proof.sections import put_section

PROJECT = Path(__file__).resolve().parents[2]


def cog(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs cog as the Makefile does."""
    command = [sys.executable, "-m", "cogapp", "-I", "tools", "-p", "from document_parts import *", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_a_part_that_a_command_measured_stays_as_it_is(tmp_path: Path) -> None:
    # given
    document = tmp_path / "page.md"
    put_section(document, "figures", "| a | b |\n\nmeasured text")
    before = document.read_text()
    # when
    done = cog("-r", document)
    # then
    assert done.returncode == 0, done.stderr
    assert document.read_text() == before
    assert cog("--check", document).returncode == 0


def test_a_measured_part_that_was_never_written_is_an_error(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text('<!-- [[[cog cog.out(measured("figures")) ]]] -->\n<!-- [[[end]]] -->\n')
    done = cog("-r", document)
    assert done.returncode != 0
    assert "figures is empty" in done.stdout + done.stderr


def test_a_part_that_is_not_current_fails_the_check(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("<!-- [[[cog cog.out(bill(regions=2, events_a_day=100)) ]]] -->\nold\n<!-- [[[end]]] -->\n")
    assert cog("--check", document).returncode != 0
    assert cog("-r", document).returncode == 0
    assert "SQS FIFO" in document.read_text()


def test_a_function_counts_from_its_definition_to_its_last_line() -> None:
    source = "class A:\n    def method(self):\n        a = 1\n\n        return a\n\n\ndef short(): pass\n"
    assert sorted(house_figures.function_lengths(source)) == [1, 4]


def test_arrows_join_the_parts_of_a_package_and_count_once() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in [("p.a.x", "p.b.y"), ("p.a.z", "p.b.y"), ("p.a.x", "p.a.z"), ("p.b.y", "q")]:
        graph.add_import(importer=importer, imported=imported)
    for package in ("p", "p.a", "p.b"):
        graph.add_module(package)
    assert house_figures.arrows(graph, "p") == {("a", "b")}
