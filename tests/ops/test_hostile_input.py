"""Every command that looks, on a cluster in the lab in which others wrote rows, labels and log lines."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.ops.changes_in_lab import schedules_stopped
from tests.ops.commands import Shell

ESCAPES = "\x1b[2J\u202e\x9b[bold]"
TABLE = "ringfence-demo"
STRANGER = "203.0.113.66"


@contextmanager
def hostile(cluster: Cluster) -> Iterator[dict[str, str]]:
    """A row of an unannounced group, a bad row, a wide rule with our label and lines of the log, all in the east.

    Yields the ids of the rules.
    """
    east = cluster.regions[EAST]
    dynamodb, ec2, logs = (east.client(service) for service in ("dynamodb", "ec2", "logs"))
    (row,) = [
        item
        for item in dynamodb.scan(TableName=TABLE)["Items"]
        if (item["region"]["S"], item["asg"]["S"]) == (WEST, cluster.regions[WEST].auto_scaling_group)
    ]
    member = {"addresses": {"L": [{"S": f"{STRANGER}/32"}]}, "state": {"S": "member"}, "since": {"N": "1"}}
    evil: Any = row | {"asg": {"S": f"evil{ESCAPES}"}, "members": {"M": {"i-66": {"M": member}}}}
    bad: Any = row | {"asg": {"S": f"bad{ESCAPES}"}, "version": {"N": "1E+125"}}
    keys: list[Any] = [{"region": item["region"], "asg": item["asg"]} for item in (evil, bad)]
    labelled = f"ringfence demo {EAST}/{east.auto_scaling_group} i-0123456789abcdef0"
    cidrs: Any = [{"CidrIp": "0.0.0.0/0", "Description": labelled}]
    group = "/aws/lambda/ringfence-demo"
    line = {"message": "rule added", "region": WEST, "security_group": ESCAPES, "address": f"{STRANGER}/32"}
    lines = [line | {"stale_seconds": float("inf"), "cause": {}, "instance": [ESCAPES], "reason": ESCAPES}, "[" * 999]
    with schedules_stopped(cluster):
        logs.create_log_stream(logGroupName=group, logStreamName="hostile")
        events: Any = [{"timestamp": int(time.time() * 1000), "message": json.dumps(text)} for text in lines]
        logs.put_log_events(logGroupName=group, logStreamName="hostile", logEvents=events)
        for item in (evil, bad):
            dynamodb.put_item(TableName=TABLE, Item=item)
        added = ec2.authorize_security_group_ingress(
            GroupId=east.security_group,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": cidrs}],
        )
        id = added["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        try:
            yield {"wide": id}
        finally:
            ec2.revoke_security_group_ingress(GroupId=east.security_group, SecurityGroupRuleIds=[id])
            for key in keys:
                dynamodb.delete_item(TableName=TABLE, Key=key)
            logs.delete_log_stream(logGroupName=group, logStreamName="hostile")


@pytest.mark.timeout(200)
def test_every_command_shows_it_and_obeys_none_of_it(two_regions: Cluster, operator: Shell) -> None:
    with hostile(two_regions) as rules:
        commands = {
            "status": ("status",),
            "plan": ("plan",),
            "doctor": ("doctor",),
            "stranger": ("explain", STRANGER),
            "rule": ("explain", rules["wide"]),
            "history": ("history", "--since", "1h"),
        }
        ran = {name: operator.run(*arguments) for name, arguments in commands.items()}
        documents = {name: operator.document(*arguments) for name, arguments in commands.items()}
    # then no line controls the terminal, and no command failed
    for name, result in ran.items():
        assert result.output.replace("\n", "").isprintable(), name
        assert result.errors.replace("\n", "").isprintable(), name
        assert "Traceback" not in result.errors
    # and each says what it knows
    status, doctor, stranger = (" ".join(ran[name].output.split()) for name in ("status", "doctor", "stranger"))
    assert f"{rules['wide']} admits 0.0.0.0/0 on tcp/443" in status
    assert "cannot be trusted" in doctor
    assert f"{rules['wide']} in {two_regions.regions[EAST].security_group} admits 0.0.0.0/0" in doctor
    assert "is no member" in stranger
    assert " a member of" not in stranger
    (east,) = [region for region in documents["status"]["regions"] if region["region"] == EAST]
    assert [owner["rule"] for owner in east["unknown_owners"]] == [rules["wide"]]
    assert east["unknown_owners"][0]["since"] is not None  # CloudTrail tells
    assert [row["row"].endswith(ESCAPES) for row in east["bad_rows"]] == [True]
    assert [identity["kind"] for identity in documents["stranger"]["identities"]] == ["claimed"]
    assert documents["rule"]["identities"] == []
