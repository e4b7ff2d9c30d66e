"""Whether a change set replaces a resource, in the words of CloudFormation and in ours."""

import pytest

from ringfence_ops.cloudformation.stacks import Replacement, ResourceChange


@pytest.mark.parametrize(
    ("word", "said"),
    [("False", ""), ("True", "replaced"), ("Conditional", "may be replaced"), ("Perhaps", "may be replaced")],
)
def test_a_word_that_is_not_known_does_not_mean_that_a_resource_stays(word: str, said: str) -> None:
    assert ResourceChange("Modify", "Table", "AWS::DynamoDB::Table", Replacement(word)).replaced == said
