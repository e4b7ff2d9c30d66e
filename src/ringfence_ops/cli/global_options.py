"""The options that every command takes, before or after its name: `ringfence --profile x status`, `ringfence status
--profile x`. The later one counts.

The root command declares them (`ringfence_ops.main`). This module gives a copy of each to every other command, which
changes the command's `CommandRun`. Knows no command.
"""

import copy
from pathlib import Path
from typing import Any, Final

from ringfence_ops.cli.command_run import CommandRun

PANEL: Final = "Global options"
"""The heading of these options in a command's help."""


def with_global_options(command: Any, root: Any) -> Any:
    """The command, and its subcommands, with the options of the root command."""
    for subcommand in getattr(command, "commands", {}).values():
        with_global_options(subcommand, root)
    taken = {name for option in command.params for name in option.opts}
    for option in root.params:
        if getattr(option, "rich_help_panel", None) == PANEL and taken.isdisjoint(option.opts):
            command.params.append(_copy(option))
    return command


def _copy(option: Any) -> Any:
    """The option for another command: it has no default, and its value goes to the `CommandRun`."""
    copied = copy.copy(option)
    copied.expose_value = False
    if not option.is_eager:  # an eager option, such as --version, does its work itself
        copied.default, copied.envvar, copied.show_default, copied.callback = None, None, False, _apply
    return copied


def _apply(context: Any, option: Any, value: Any) -> Any:
    run = context.find_object(CommandRun)
    if run is not None and value:
        set_option(run, option.name, value)
    return value


def set_option(run: CommandRun, name: str, value: Any) -> None:
    """Sets one of the options, by its parameter's name."""
    match name:
        case "cluster_file":
            run.path = Path(value)
        case "profile":
            run.aws.profile = value
        case "endpoint_url":
            run.aws.endpoint_url = value
        case "debug":
            run.debug = value
        case _:
            raise TypeError(f"{name} is no global option")
