"""The benchmark of the live microphone: as many people as the server takes."""

import numpy as np

from scripts.bench import live
from ser_core.serving.live.sessions import MAX_SESSIONS_PER_ADDRESS


def test_more_people_than_one_address_may_have(checkpoints, speech):
    n_people = MAX_SESSIONS_PER_ADDRESS + 1
    found = live.measured("small", n_people, 2.0, np.round(32767 * speech).astype(np.int16))
    assert found["people"] == n_people and found["chunks"] >= 8 * n_people and found["answers"] >= n_people
