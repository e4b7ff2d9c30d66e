"""What Lambda imports: the entry module builds the engine, and importing the handler has no side effect."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.builders import EAST, WEST, environment

PROJECT = Path(__file__).resolve().parents[2]
ENTRY = PROJECT / "src" / "ringfence" / "runtime" / "entry.py"

RECORDER = """
import importlib, json, logging, os, sys
import botocore.session

read, clients = [], []
look_up, create_client = type(os.environ).__getitem__, botocore.session.Session.create_client

def recording_look_up(variables, name):
    read.append(name)
    return look_up(variables, name)

def recording_create_client(session, service, **arguments):
    clients.append([service, arguments["region_name"]])
    return create_client(session, service, **arguments)

type(os.environ).__getitem__ = recording_look_up
botocore.session.Session.create_client = recording_create_client

def handlers():
    loggers = [logging.root, *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    found = {handler for logger in loggers for handler in logger.handlers}
    return [type(handler).__name__ for handler in found if not isinstance(handler, logging.NullHandler)]

def report(**more):
    variables = sorted({name for name in read if name.startswith("RINGFENCE_")})
    print(json.dumps({"variables": variables, "clients": clients, "handlers": handlers(), **more}))
"""
"""Records the variables that a process reads and the clients that it makes. `report` prints them."""

NOTHING: dict[str, list[str]] = {"variables": [], "clients": [], "handlers": []}


def run(program: str, **variables: str) -> dict[str, Any]:
    """What the program reports, in a process of its own that has the variables in its environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RINGFENCE_"))}
    done = subprocess.run(
        [sys.executable, "-c", RECORDER + program],
        env={**inherited, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    reported: dict[str, Any] = json.loads(done.stdout)
    return reported


def lambdas_handler() -> str:
    """The name that template.yaml tells Lambda to import."""
    (name,) = re.findall(r"^ +Handler: (\S+)$", (PROJECT / "template.yaml").read_text(), re.MULTILINE)
    return str(name)


def test_importing_the_handler_reads_no_setting_makes_no_client_and_adds_no_logging_handler() -> None:
    assert run("import ringfence.runtime.handler\nreport()", **environment()) == NOTHING


@pytest.mark.parametrize(
    ("effect", "field"),
    [
        ("os.environ.get('RINGFENCE_MODE')", "variables"),
        ("dict(os.environ)", "variables"),
        ("botocore.session.Session().create_client('sqs', region_name='us-east-1')", "clients"),
        ("from aws_lambda_powertools import Logger; Logger(service='demo')", "handlers"),
    ],
    ids=["one variable", "all variables", "a client", "a logger"],
)
def test_the_recorder_sees_each_side_effect(effect: str, field: str) -> None:
    assert run(f"{effect}\nreport()", **environment(RINGFENCE_MODE="observe"))[field]


def test_the_entry_module_has_at_most_ten_lines() -> None:
    lines = [line for line in ENTRY.read_text().splitlines() if line.strip()]
    assert len(lines) <= 10


def test_the_entry_module_defines_no_function_and_no_class() -> None:
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
    assert not [node for node in ast.walk(ast.parse(ENTRY.read_text())) if isinstance(node, definitions)]


RESOLVE = """
module, _, name = {handler!r}.rpartition(".")
resolved = getattr(importlib.import_module(module), name)
report(module=sys.modules[module].__file__, type=type(resolved).__name__, callable=callable(resolved))
"""


def test_the_templates_handler_is_the_entry_module_and_its_import_builds_the_engine() -> None:
    reported = run(RESOLVE.format(handler=lambdas_handler()), **environment())
    assert Path(reported["module"]) == ENTRY
    assert (reported["type"], reported["callable"]) == ("Handler", True)
    assert sorted(map(tuple, reported["clients"])) == [
        ("autoscaling", EAST),
        ("dynamodb", EAST),
        ("dynamodb", WEST),
        ("ec2", EAST),
        ("ec2", WEST),
    ]


def test_the_entry_module_can_be_imported_with_a_wrong_configuration() -> None:
    reported = run(RESOLVE.format(handler=lambdas_handler()), **environment(RINGFENCE_MODE="strict"))
    assert (reported["type"], reported["clients"]) == ("Handler", [])
