"""The documentation site: its links, the commands and alarms that its pages name, its strict build, and its screens.

What needs the tools of the site is skipped without them: `make .venv/site/.ready`, which `make test` runs.
"""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import site_pages
import typer

from ringfence_ops.main import app

PROJECT = Path(__file__).resolve().parents[2]
MKDOCS = PROJECT / ".venv" / "site" / "bin" / "mkdocs"
PAGES = sorted((PROJECT / "docs" / "how-to").glob("*.md"))

needs_tools = pytest.mark.skipif(not MKDOCS.exists(), reason="needs the tools of the site: make .venv/site/.ready")


# Links.

KNOWN = {"cli.md", "overview.md", "architecture.md", "how-to/first-day.md", "decisions/0001-a.md", "decisions/index.md"}


@pytest.mark.parametrize(
    ("source", "link", "converted"),
    [
        ("how-to/first-day.md", "[a](../cli.md#json)", "[a](../cli.md#json)"),
        ("how-to/first-day.md", "[a](../../README.md#x)", "[a](../overview.md#x)"),
        ("overview.md", "[a](docs/cli.md)", "[a](cli.md)"),
        ("overview.md", "[docs/decisions/](docs/decisions/)", "[docs/decisions/](decisions/index.md)"),
        ("architecture.md", "[a](docs/decisions/0001-a.md)", "[a](decisions/0001-a.md)"),
        ("decisions/0001-a.md", "[a](../../ARCHITECTURE.md)", "[a](../architecture.md)"),
        ("overview.md", "[LICENSE](LICENSE)", "`LICENSE`"),
        ("cli.md", "[a](https://example.com/x)", "[a](https://example.com/x)"),
        ("cli.md", "[a](#json)", "[a](#json)"),
        ("architecture.md", "![a](docs/architecture-event.svg)", "![a](architecture-event.svg)"),
        ("cli.md", "```\n[a](../README.md)\n```", "```\n[a](../README.md)\n```"),
        ("cli.md", "    [a](../README.md)\n", "    [a](../README.md)\n"),
        ("cli.md", "a <!-- [[[cog x ]]] -->b<!-- [[[end]]] -->", "a b"),
        ("overview.md", "[a](docs/no-such-page.md)", "[a](no-such-page.md)"),  # the strict build stops at it
    ],
)
def test_a_link_of_the_repository_is_one_of_the_site(source: str, link: str, converted: str) -> None:
    assert site_pages.converted(link, source, KNOWN) == converted


# Commands and alarms.


def commands_of(page: Path) -> Iterator[str]:
    """The commands `ringfence ...` in the blocks of a page."""
    for block in re.findall(r"^ *```\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL):
        yield from (line.strip() for line in block.splitlines() if line.strip().startswith("ringfence "))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    for line in commands_of(page):
        context: Any = typer.main.get_command(app)
        words = shlex.split(line)[1:]
        while words and words[0].startswith("--"):  # a global option with its value
            del words[:2]
        command = context.get_command(context.make_context("ringfence", [], resilient_parsing=True), words[0])
        assert command is not None, line
        options = {name for option in command.params for name in option.opts}
        assert {word.partition("=")[0] for word in words[1:] if word.startswith("-")} <= options, line


def test_the_pages_name_commands() -> None:
    assert len(PAGES) == 5
    assert sum(len(list(commands_of(page))) for page in PAGES) > 30


def test_every_alarm_of_a_page_is_in_the_template() -> None:
    template = (PROJECT / "template.yaml").read_text()
    named = {name for page in PAGES for name in re.findall(r"`\.\.\.-([a-z-]+)`", page.read_text())}
    assert len(named) >= 5
    assert named <= set(re.findall(r"AlarmName: !Sub ringfence-\$\{ClusterName\}-([a-z-]+)", template))


# The site itself.


def build(project: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [str(MKDOCS), "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=250)


@needs_tools
def test_the_site_is_built_strictly_and_fits_a_phone_and_a_desk(tmp_path: Path) -> None:
    built = build(PROJECT, tmp_path / "site")
    assert built.returncode == 0, built.stderr
    if shutil.which("chromium") is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    command = [
        MKDOCS.with_name("python"),
        PROJECT / "tools" / "look_at_site.py",
        tmp_path / "site",
        tmp_path / "screens",
    ]
    looked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert looked.returncode == 0, looked.stderr
    assert "at 2 widths: 0 problems" in looked.stdout


@needs_tools
@pytest.mark.parametrize("link", ["[x](no-such-page.md)", "[x](cli.md#no-such-heading)", "[x](../NO-SUCH-FILE.md)"])
def test_a_broken_link_stops_the_build(link: str, tmp_path: Path) -> None:
    # given the sources of the site, with a page that has a broken link
    project = tmp_path / "project"
    shutil.copytree(PROJECT / "docs", project / "docs")
    for name in ("mkdocs.yml", "tools/site_pages.py", *site_pages.PAGES):
        (project / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, project / name)
    lab = project / "docs" / "lab.md"
    lab.write_text(f"{lab.read_text()}\n{link}\n")
    # when
    built = build(project, tmp_path / "site")
    # then
    assert built.returncode != 0
    assert "lab.md" in built.stderr


def test_the_diagrams_are_current() -> None:
    done = subprocess.run(
        [sys.executable, PROJECT / "tools" / "draw_diagrams.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
