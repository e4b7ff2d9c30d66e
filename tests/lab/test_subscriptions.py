"""A subscription by mail waits for its confirmation. Source: Amazon SNS API Reference, Subscribe."""

from uuid import uuid4

from ringfence_lab.control.lab import Lab
from tests.labs import HOME


def test_a_subscription_by_mail_has_no_arn_until_it_is_confirmed(empty_lab: Lab) -> None:
    sns = empty_lab.client("sns", HOME)
    topic, address = sns.create_topic(Name=f"topic-{uuid4().hex}")["TopicArn"], "ops@example.com"

    def arns() -> list[str]:
        listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        return [each["SubscriptionArn"] for each in listed]

    answer = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    assert answer["SubscriptionArn"] == "pending confirmation"
    assert arns() == ["PendingConfirmation"]
    sns.confirm_subscription(TopicArn=topic, Token=f"lab-{address}")
    (confirmed,) = arns()
    assert confirmed.startswith(topic)
