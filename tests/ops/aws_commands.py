"""Runs a printed `aws` command word for word, by the API call that the AWS CLI makes of it."""

import shlex
from typing import Any

from botocore import xform_name

from tests.end_to_end.clusters import Cluster


def run_aws(cluster: Cluster, command: str) -> Any:
    """The answer of the call. Each option must be a parameter of the operation, as the AWS CLI demands."""
    program, service, operation, *arguments = shlex.split(command)
    assert program == "aws"
    options: dict[str, list[str]] = {}
    for word in arguments:
        if word.startswith("--"):
            options[word.removeprefix("--")] = []
        else:
            options[list(options)[-1]].append(word)
    (region,) = options.pop("region")
    client = cluster.regions[region].client(service)
    method = operation.replace("-", "_")
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape
    parameters = {xform_name(name, "-"): (name, member) for name, member in shape.members.items()}
    given = {}
    for option, values in options.items():
        name, member = parameters[option]
        given[name] = values if member.type_name == "list" else values[0]
    return getattr(client, method)(**given)
