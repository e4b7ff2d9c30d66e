"""The table of rosters."""

from typing import Any

from ringfence_ops.repair.drift import Fields, Repair
from ringfence_ops.repair.kinds.kind import ClientOf, pick
from ringfence_ops.repair.template import Resource

_CREATED = ("TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "SSESpecification", "Tags")
_WAIT = {"Delay": 1, "MaxAttempts": 60}
BILLING, RECOVERY = "BillingMode", "PointInTimeRecoverySpecification"


class Tables:
    """`AWS::DynamoDB::Table`. A table with other keys is not repaired: `doctor` says what to do about it."""

    def name(self, resource: Resource) -> str:
        """The table's name."""
        return str(resource.properties["TableName"])

    def wanted(self, resource: Resource) -> Fields:
        """What can change."""
        return pick(resource.properties, BILLING, RECOVERY)

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The same of the table."""
        client, name = client_of("dynamodb"), self.name(resource)
        table = client.describe_table(TableName=name)["Table"]
        if table["TableStatus"] == "DELETING":
            return None
        backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        status = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
        fields: dict[str, Any] = {BILLING: table.get("BillingModeSummary", {}).get(BILLING, "PROVISIONED")}
        return fields | {RECOVERY: {"PointInTimeRecoveryEnabled": status == "ENABLED"}}

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Creates the table, or changes what differs. The engines write its content again."""
        client, properties, name = client_of("dynamodb"), repair.resource.properties, self.name(repair.resource)
        changed = {one.name for one in repair.differences} or {RECOVERY}
        exists, gone = client.get_waiter("table_exists"), client.get_waiter("table_not_exists")
        if repair.is_missing:
            gone.wait(TableName=name, WaiterConfig=_WAIT)
            settings = pick(properties, *_CREATED)
            client.create_table(**settings | {"SSESpecification": _encryption(properties)})
        elif BILLING in changed:
            client.update_table(TableName=name, BillingMode=properties[BILLING])
        exists.wait(TableName=name, WaiterConfig=_WAIT)
        if RECOVERY in changed:
            client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=properties[RECOVERY])


def _encryption(properties: Any) -> dict[str, Any]:
    """The property of the template in the words of the API, which are others."""
    return {"Enabled": bool(properties.get("SSESpecification", {}).get("SSEEnabled"))}
