"""The experiments behind the claims: what they promise to show is in their recordings."""

from __future__ import annotations

from pathlib import Path

import pytest
from sockreel.recorder import trials
from sockreel.recorder.models import SERVERS
from sockreel.recorder.trials import all_trials

from .recording import Recorder

EXPERIMENTS = Path(trials.__file__).parent / "experiments"


@pytest.mark.parametrize("how", ["blocking", "nonblocking"])
def test_receives_of_every_size_find_all_of_their_data(how: str, record: Recorder) -> None:
    recorded = record(EXPERIMENTS / "copying.py", how)
    assert recorded.status == 0, recorded.err
    calls = recorded.calls(operation="recv_into")
    assert len(calls) == 8 * 40
    assert {call["outcome"] for call in calls} == {"ok"}
    assert {call["timeout_ns"] for call in calls} == ({None} if how == "blocking" else {0})
    sizes = [call["result"] for call in calls]
    assert sizes == sorted(sizes) and {1, 64, 1024, 4096, 16384} <= set(sizes)
    waited = recorded.calls(operation="recv")
    assert [call["duration_ns"] >= 10_000_000 for call in waited] == ([True] if how == "blocking" else [])


def test_the_tutorial_s_connections_block_though_its_listener_does_not(record: Recorder) -> None:
    recorded = record(EXPERIMENTS / "tutorial.py", "127.0.0.1", "0", options=("--workload", "lecture"))
    assert {call["timeout_ns"] for call in recorded.calls(operation="accept")} == {0}
    received = recorded.calls(operation="recv")
    assert {call["timeout_ns"] for call in received} == {None}
    assert max(call["duration_ns"] for call in received) >= 1_000_000_000
    assert ("accept", "would_block") in recorded.outcomes()


def test_every_trial_has_a_label_of_its_own_and_a_script_that_is_there() -> None:
    found = all_trials(tuple(SERVERS.values()))
    assert len({trial.label for trial in found}) == len(found) == 3 + 2 * len(SERVERS)
    assert all(trial.script.is_file() for trial in found)
