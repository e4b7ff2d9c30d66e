"""The SNS topic of each Region that alarms notify: from options, or from what the operator answers to `init`.

Each answer is checked at once: the topic must exist, in the Region of its alarms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ringfence.aws.error_codes import is_absent
from ringfence.core.configuration.relations import topic_region
from ringfence.core.configuration.setting_table import SETTINGS
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.errors import in_one_line
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cli.terminal import Output, ask
from ringfence_ops.errors import CommandError

NONE = "none"
"""What an operator types for no topic."""

OFFERED = 20
"""The number of a Region's topics that are offered."""


@dataclass(slots=True)
class AlarmTopics:
    """Chooses the topics. `named` are the ARNs of the options."""

    aws: Aws
    named: Sequence[str] = ()
    asks: bool = field(default=False, kw_only=True)

    def of(self, regions: Sequence[Region]) -> dict[Region, str]:
        """The topic of each Region that has one. Raises CommandError for a topic that cannot be used."""
        chosen: dict[Region, str] = {}
        for arn in self.named:
            region = next((region for region in regions if region == topic_region(arn)), None)
            wrong = "it is in no Region of the cluster" if region is None else self._wrong(arn, region)
            if region is None or wrong:
                raise CommandError(f"--alarm-topic {arn}: {wrong}")
            chosen[region] = arn
        for region in regions if self.asks and not self.named else ():
            if topic := self._asked(region):
                chosen[region] = topic
        return chosen

    def _asked(self, region: Region) -> str:
        """The topic that the operator names for the Region; empty for none."""
        output, offered = Output(), self._topics(region)
        output.say(f"The SNS topic in {region} that alarms notify:")
        for number, arn in enumerate(offered, 1):
            output.say(f"  {number}  {arn}")
        while True:
            typed = ask(f"Its number or its ARN, or {NONE}: then alarms notify no one", default=NONE).strip()
            if typed == NONE:
                return ""
            is_number = typed.isdecimal() and 1 <= int(typed) <= len(offered)
            arn = offered[int(typed) - 1] if is_number else typed
            if not (wrong := self._wrong(arn, region)):
                return arn
            output.say(f"{typed!r}: {wrong}")

    def _topics(self, region: Region) -> list[str]:
        """The Region's topics, as far as they can be listed."""
        try:
            listed: Mapping[str, Any] = self.aws.client("sns", region).list_topics()
        except (BotoCoreError, ClientError):
            return []
        return sorted(topic["TopicArn"] for topic in listed["Topics"])[:OFFERED]

    def _wrong(self, arn: str, region: Region) -> str:
        """What is wrong with the topic; empty if nothing is."""
        reading = SETTINGS["alarm_topic"].read([arn])
        if reading.mistakes or reading.limits or not arn:
            return f"it must be the ARN of an SNS topic: `aws sns list-topics --region {region}` lists them"
        if topic_region(arn) != region:
            return f"alarms notify topics of their own Region, {region}, and it is in {topic_region(arn) or 'none'}"
        try:
            self.aws.client("sns", region).get_topic_attributes(TopicArn=arn)
        except ClientError as error:
            if is_absent(error):
                name = arn.rpartition(":")[2]
                return f"it does not exist: aws sns create-topic --region {region} --name {name}"
            return in_one_line(error)
        return ""
