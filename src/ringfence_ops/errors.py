"""The errors that end a command: each carries one line for the operator and the exit code of the process.

The lab's errors derive from these too. Knows no AWS and no terminal.
"""

from typing import ClassVar


class CommandError(Exception):
    """The command did not do what it was asked to. The text is one line: what happened, why, and what to do."""

    exit_code: ClassVar[int] = 1


class WrongUsage(CommandError):
    """The command was called wrongly: an option, an argument, a variable or the cluster file is not as it must be.

    Nothing was done, and the same call fails again.
    """

    exit_code: ClassVar[int] = 64


class Interrupted(CommandError):
    """The operator pressed Ctrl-C while work was in progress. The text says which work."""

    exit_code: ClassVar[int] = 130
