"""What a deployment changes in a stack, in the operator's terms: code, template, and configuration, value by value.

CloudFormation's change set says which resources change. This says why. Pure.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ringfence.core.configuration.setting_table import TABLE

CODE_URI = re.compile(r"^(\s+CodeUri:) (\S+)$", re.MULTILINE)
"""The line of the template that says where the function's code is."""


class Part(StrEnum):
    """A part of a stack that a deployment changes."""

    CODE = "code"
    TEMPLATE = "template"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True)
class Definition:
    """What makes a stack: its template as it was sent, and its parameters."""

    template: str
    parameters: Mapping[str, str]

    @property
    def code(self) -> str | None:
        """Where the function's code is; None in a template of another form."""
        found = CODE_URI.search(self.template)
        return found[2] if found else None

    @property
    def template_digest(self) -> str:
        """Of the template apart from the place of the code."""
        without_code = CODE_URI.sub(r"\1", self.template).strip()
        return hashlib.sha256(without_code.encode()).hexdigest()


NOTHING = Definition("", {})


@dataclass(frozen=True, slots=True)
class ParameterChange:
    """A parameter with its old and its new value; None where the stack has, or will have, no such parameter."""

    parameter: str
    was: str | None
    becomes: str | None

    @property
    def setting(self) -> str:
        """The setting's name in the cluster file, or the parameter's where it is no setting."""
        return _SETTINGS.get(self.parameter, self.parameter)


_SETTINGS = {setting.parameter_name: ".".join(setting.path) or setting.name for setting in TABLE}


@dataclass(frozen=True, slots=True)
class CodeChange:
    """The place of the function's code; its name holds a digest of the code. None where it is not known."""

    was: str | None
    becomes: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What a deployment changes in a stack. `template` says that the template changes apart from the code."""

    parameters: tuple[ParameterChange, ...] = ()
    code: CodeChange | None = None
    template: bool = False

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that change."""
        return tuple(
            part
            for part, changes in (
                (Part.CODE, self.code is not None),
                (Part.TEMPLATE, self.template),
                (Part.CONFIGURATION, bool(self.parameters)),
            )
            if changes
        )


NO_DIFFERENCE = Difference()


def difference(was: Definition, becomes: Definition) -> Difference:
    """What differs between two definitions of a stack."""
    return Difference(
        parameters=tuple(difference_of_parameters(was.parameters, becomes.parameters)),
        code=CodeChange(was.code, becomes.code) if was.code != becomes.code else None,
        template=was.template_digest != becomes.template_digest,
    )


def difference_of_parameters(was: Mapping[str, str], becomes: Mapping[str, str]) -> Iterator[ParameterChange]:
    """The parameters that differ."""
    for name in [*becomes, *(name for name in was if name not in becomes)]:
        if was.get(name) != becomes.get(name):
            yield ParameterChange(name, was.get(name), becomes.get(name))
