"""Commands of other packages: found by entry point, imported only when they are named, and reported when missing."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
import typer

from ringfence_ops.cli.extensions import GROUP, extensions, loaded, missing
from ringfence_ops.cli.installation import install_command
from ringfence_ops.errors import CommandError

WITH_LAB = install_command("lab")

IMPORTED = "import sys; from ringfence_ops.main import run; run({arguments}); print('ringfence_lab' in sys.modules)"


def extension(value: str) -> EntryPoint:
    return EntryPoint(name="lab", value=value, group=GROUP)


@pytest.mark.parametrize(("arguments", "imported"), [(["plan", "--help"], "False"), (["lab", "--help"], "True")])
def test_the_lab_is_imported_only_when_it_is_named(arguments: list[str], imported: str) -> None:
    program = IMPORTED.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == imported


def test_the_lab_is_an_extension() -> None:
    assert extensions()["lab"].value == "ringfence_lab.commands.lab:app"


def test_an_extension_that_cannot_be_imported_fails_with_what_to_install() -> None:
    command = loaded(extension("no_such_package.commands:app"))
    context = command.make_context("lab", ["up", "--region", "us-east-1"])
    with pytest.raises(CommandError) as raised:
        command.invoke(context)
    assert str(raised.value) == f"a package is missing (No module named 'no_such_package'): run `{WITH_LAB}`"
    assert WITH_LAB.replace("[", "\\[") in command.help


def test_a_package_that_is_missing_during_a_command_is_reported_with_the_extra() -> None:
    error = ImportError("No module named 'greenlet'")
    assert f"run `{WITH_LAB}`" in str(missing(error, ["lab", "sim"]))
    assert f"run `{install_command()}`" in str(missing(error, ["status"]))


def test_an_extension_has_the_name_of_its_entry_point() -> None:
    assert loaded(extension("ringfence_lab.commands.lab:app")).name == "lab"
    assert isinstance(extension("ringfence_lab.commands.lab:app").load(), typer.Typer)
