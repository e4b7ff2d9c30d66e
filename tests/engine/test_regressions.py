"""Histories that once ended wrong, each by the seed under which the simulator found it."""

import pytest

from ringfence_lab.sim.simulation import simulate


@pytest.mark.parametrize(
    "seed",
    [
        1807,  # a rule made while the home table was down was revoked by an invocation that had observed before
        2314,  # likewise, by one that overlapped
        3030,  # a member that its group did not list kept the address that an Elastic IP had replaced
        4744,  # a termination was continued on rules that were read before the table took the roster
        5661,  # an instance out of the warm pool was let in by the older event of its way into it
        9383,  # an instance out of the warm pool waited for its address since long before it left the pool
        20018,  # the answer to one wait of an instance ended the next one
        12450,  # a rule made while the home table was down went when its instance was listed, but not yet described
        527905,  # launched while the home table was down, it was let in by the rule of the one whose address it has now
        663418,  # likewise, by a rule that was removed between the reading of the rules and that of the instances
        781193,  # back into its warm pool after its table was lost, an instance was let go while a peer admitted it
        1932,  # an instance admitted while the home table was down went back into its warm pool with its rule standing
    ],
)
def test_a_history_that_once_ended_wrong_ends_well(seed: int) -> None:
    assert simulate(seed).violation is None
