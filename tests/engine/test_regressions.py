"""Histories that once violated a property, by the seed with which the simulator found them."""

import pytest

from ringfence_lab.sim.simulation import simulate


@pytest.mark.parametrize(
    "seed",
    [
        1807,  # a rule made while the home table was down was revoked by an invocation that had observed before
        2314,  # likewise, by one that overlapped
        3030,  # a member that its group did not list kept the address that an Elastic IP had replaced
        4744,  # a termination was continued on rules that were read before the table took the roster
        5661,  # an instance that left the warm pool was admitted by the older event of its way into the pool
        9383,  # the wait for an address of an instance out of the warm pool counted from before it left the pool
        20018,  # the answer to a wait of an instance ended its next wait
        12450,  # a rule made while the home table was down was removed before its instance was described
        527905,  # a launch while the home table was down continued by the rule of its address's earlier owner
        663418,  # likewise, by a rule that was removed after the rules were read and before the instances were
        781193,  # an instance returned to its warm pool after its table was lost, while a peer still admitted it
        219408,  # an unreadable row of a group that was deleted stopped the mirror of a peer for ever
        285826,  # a group was deleted while its table was lost, and a peer kept its members
        1932,  # an instance admitted while the home table was down returned to its warm pool before its release
    ],
)
def test_a_history_that_once_violated_a_property_violates_none(seed: int) -> None:
    assert simulate(seed).violation is None


LONG = (24, 48, 80)
"""The possible numbers of steps of the histories below."""


@pytest.mark.parametrize(
    "seed",
    [
        15363,  # a launch continued without a peer that had a newer roster, in which the instance was missing
        20033,  # the address of a new member was removed by a description that was older than the address
        21912,  # a rule got the label of an invented member of a Region whose announcement was spoilt
        22354,  # likewise by a description of an instance that was still stopped in its warm pool
        28058,  # a listing that still showed a new member in its warm pool removed it
        3272,  # a description from before an instance ended took its address from the instance that has it now
        33789,  # a forged launch into the warm pool removed a member that its group did not list yet
    ],
)
def test_a_long_history_that_once_violated_a_property_violates_none(seed: int) -> None:
    assert simulate(seed, steps=LONG).violation is None
