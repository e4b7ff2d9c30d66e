"""The generated parts of the documents: each function returns the text of one part.

A document names its parts itself, between `[[[cog` and `[[[end]]]`: cog (cogapp) runs the call that stands there and
puts in what it returns. `make docs` writes all parts, and `make test` checks that they are current. Parts that take
minutes to make are `measured`: their own commands write them (see ringfence_lab/proof/sections.py).
"""

from command_reference import commands_reference, schemas_reference
from conformance_table import assumptions_table, conformance_table
from cost_table import bill, comparison
from dashboard_part import template_dashboard
from house_figures import house_figures
from setting_documents import (
    parameters_table,
    settings_table,
    template_announcement,
    template_environment,
    template_interface,
    template_parameters,
)
from terraform_module import (
    terraform_inputs,
    terraform_outputs,
    terraform_outputs_table,
    terraform_parameters,
    terraform_requirements,
    terraform_variables,
)

__all__ = [
    "assumptions_table",
    "bill",
    "commands_reference",
    "comparison",
    "conformance_table",
    "house_figures",
    "measured",
    "parameters_table",
    "schemas_reference",
    "settings_table",
    "template_announcement",
    "template_dashboard",
    "template_environment",
    "template_interface",
    "template_parameters",
    "terraform_inputs",
    "terraform_outputs",
    "terraform_outputs_table",
    "terraform_parameters",
    "terraform_requirements",
    "terraform_variables",
]


def measured(name: str) -> str:
    """A part that another command writes, as it is. The name is what that command finds the part by."""
    import cog  # noqa: PLC0415  # cog provides this module while it runs

    previous: str = cog.previous
    if not previous.strip():
        raise ValueError(f"{name} is empty: run the command that writes it")
    return previous
