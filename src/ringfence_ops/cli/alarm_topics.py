"""The SNS topic of each Region that alarms notify: from options, or from what the operator answers to `init`.

Each answer is checked at once: the topic must exist, in the Region of its alarms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ringfence.aws.error_codes import is_absent
from ringfence.core.configuration.relations import topic_region
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.errors import in_one_line
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cli.questions import asked, given, of_setting
from ringfence_ops.cli.terminal import Output

NONE = "none"
"""What an operator types for no topic."""

OFFERED = 20
"""The number of a Region's topics that are offered."""


@dataclass(slots=True)
class AlarmTopics:
    """Chooses the topics. `named` are the ARNs of the options. `present` are those that the Regions are deployed with:
    they are the defaults."""

    aws: Aws
    named: Sequence[str] = ()
    present: Mapping[Region, str] = field(default_factory=dict)
    asks: bool = field(default=False, kw_only=True)

    def of(self, regions: Sequence[Region]) -> dict[Region, str]:
        """The topic of each Region that has one. Raises WrongUsage for an option that names none that can be used."""
        is_asked = self.asks and not self.named
        chosen: dict[Region, str] = {} if is_asked else dict(self.present)
        for arn in self.named:
            region = given("--alarm-topic", arn, partial(_region_of, regions))
            chosen[region] = given("--alarm-topic", arn, partial(self._usable, region))
        for region in regions if is_asked else ():
            if topic := self._asked(region):
                chosen[region] = topic
        return chosen

    def _asked(self, region: Region) -> str:
        """The topic that the operator names for the Region; empty for none."""
        output, offered = Output(), self._topics(region)
        output.say(f"The SNS topic in {region} that alarms notify:")
        for number, arn in enumerate(offered, 1):
            output.say(f"  {number}  {arn}")

        def check(typed: str) -> str:
            if typed == NONE:
                return ""
            is_number = typed.isdecimal() and 1 <= int(typed) <= len(offered)
            return self._usable(region, offered[int(typed) - 1] if is_number else typed)

        question = f"Its number or its ARN, or {NONE}: then alarms notify no one"
        return asked(question, check, default=self.present.get(region, NONE))

    def _topics(self, region: Region) -> list[str]:
        """The Region's topics, as far as they can be listed."""
        try:
            listed: Mapping[str, Any] = self.aws.client("sns", region).list_topics()
        except (BotoCoreError, ClientError):
            return []
        return sorted(topic["TopicArn"] for topic in listed["Topics"])[:OFFERED]

    def _usable(self, region: Region, arn: str) -> str:
        """The topic. Raises ValueError for one that alarms of the Region cannot notify."""
        of_setting("alarm_topic")(arn)
        if topic_region(arn) != region:
            elsewhere = topic_region(arn) or "no Region"
            raise ValueError(f"alarms notify topics of their own Region, {region}, and this one is in {elsewhere}")
        try:
            self.aws.client("sns", region).get_topic_attributes(TopicArn=arn)
        except ClientError as error:
            if not is_absent(error):
                raise ValueError(in_one_line(error)) from None
            create = f"aws sns create-topic --region {region} --name {arn.rpartition(':')[2]}"
            raise ValueError(f"{arn} does not exist: {create}") from None
        return arn


def _region_of(regions: Sequence[Region], arn: str) -> Region:
    """The Region of the topic. Raises ValueError if the cluster does not have it."""
    of_setting("alarm_topic")(arn)
    for region in regions:
        if region == topic_region(arn):
            return region
    raise ValueError(f"{arn} is in no Region of the cluster")
