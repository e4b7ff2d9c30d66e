"""Commands that other packages add to `ringfence` through the entry point group `ringfence.commands`.

An entry point names a Typer application. It is loaded when its command runs or when help lists it, so that no other
command waits for it. Knows none of these packages.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from ringfence_ops.cli.global_options import with_global_options
from ringfence_ops.cli.installation import install_command
from ringfence_ops.errors import CommandError

GROUP = "ringfence.commands"


class ExtensibleGroup(TyperGroup):
    """The root command: its own commands first, then those of the entry points in the order of their names."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, in the order in which help lists them."""
        own = super().list_commands(ctx)
        return [*own, *(name for name in sorted(extensions()) if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name; None where there is none. Imports an extension only when it is named."""
        command = super().get_command(ctx, cmd_name)
        if command is None and (extension := extensions().get(cmd_name)) is not None:
            command = loaded(extension)
        return None if command is None else with_global_options(command, self)


def extensions() -> dict[str, EntryPoint]:
    """The installed extensions by the names of their commands."""
    return {extension.name: extension for extension in entry_points(group=GROUP)}


def loaded(extension: EntryPoint) -> Any:
    """The extension's command. Where it cannot be imported, a command that fails and says what to install."""
    try:
        application = extension.load()
    except ImportError as error:
        application = _not_installed(extension.name, error)
    command = typer.main.get_command(application)
    command.name = extension.name
    return command


def missing(error: ImportError, arguments: list[str]) -> CommandError:
    """What to say where a command cannot import a package: extensions import some of theirs only when they run."""
    extra = next((name for name in extensions() if name in arguments), None)
    return CommandError(f"a package is missing ({error}): run `{install_command(extra)}`")


def _not_installed(name: str, error: ImportError) -> typer.Typer:
    application = typer.Typer()

    @application.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
    def fail() -> None:
        raise missing(error, [name])

    fail.__doc__ = f"Not installed: run `{install_command(name)}`.".replace("[", "\\[")
    application.registered_commands[0].help = fail.__doc__
    return application
