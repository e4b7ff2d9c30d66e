"""Questions and options whose answers are checked at once, with the rule that a wrong one breaks."""

from collections.abc import Callable
from typing import Any, TypeVar

from ringfence.core.configuration.setting_table import SETTINGS
from ringfence_ops.cli.terminal import Output, ask
from ringfence_ops.errors import WrongUsage

T = TypeVar("T")

Check = Callable[[str], T]
"""Makes the value of what was typed. Raises ValueError with the rule that it breaks."""


def asked(question: str, check: Check[T], default: str | None = None) -> T:
    """The operator's answer. A wrong one is answered with the rule that it breaks, and asked for again."""
    while True:
        try:
            return check(ask(question, default).strip())
        except ValueError as error:
            Output().say(str(error))


def given(option: str, text: str, check: Check[T]) -> T:
    """The value of an option. Raises WrongUsage with the rule that it breaks."""
    try:
        return check(text)
    except ValueError as error:
        raise WrongUsage(f"{option}: {error}") from None


def of_setting(name: str) -> Check[Any]:
    """The check of a setting, as the cluster file has it."""
    setting = SETTINGS[name]

    def check(text: str) -> Any:
        reading = setting.read(setting.split(text) or [""])
        if said := [*reading.mistakes, *reading.limits]:
            raise ValueError(", and ".join(said))
        return reading.value

    return check
