"""A signal handler that forks in the middle of a call leaves two processes in it: the call stays that of the parent."""

from __future__ import annotations

import pytest

from .playing import interpreter
from .recording import PROGRAMS, Recorder

OPERATIONS = {"recv": "recv", "epoll": "epoll_wait", "select": "select", "raise": "recv"}


@pytest.mark.parametrize("core", ["c", "python"])
@pytest.mark.parametrize("what", list(OPERATIONS))
def test_a_child_that_returns_into_its_parents_call_does_not_complete_it(record: Recorder, what: str, core: str) -> None:
    _is_the_parents(record, what, core, "this")


@pytest.mark.parametrize("version", ["3.8", "3.13"])
@pytest.mark.parametrize("what", ["recv", "select"])
def test_in_other_versions_of_python_neither(record: Recorder, what: str, version: str) -> None:
    _is_the_parents(record, what, "python", version)


def _is_the_parents(record: Recorder, what: str, core: str, version: str) -> None:
    done = record(PROGRAMS / "forks_in_a_call.py", what, python=interpreter(version), options=["--core", core])
    assert done.status == 0, done
    parent = int(done.out)
    (call,) = done.calls(operation=OPERATIONS[what])
    sends = [send for send in done.calls(operation="send") if send["pid"] == parent]
    assert [send["payload"] for send in sends] == [b"for the child", b", the rest for its parent"]
    # The child was gone before the second of them: whoever completes the call later is the parent.
    assert call["pid"] == parent
    assert [send["parent_id"] for send in sends] == [call["id"]] * 2
    assert call["started_ns"] + call["duration_ns"] >= sends[1]["started_ns"] + sends[1]["duration_ns"]
    if what == "recv":
        assert (call["outcome"], call["result"], call["payload"]) == ("ok", 13, b", the rest fo")
    if what == "raise":
        assert (call["outcome"], call["result"], call["payload"]) == ("interrupted", None, None)
    assert [(other["operation"], other["payload"]) for other in done.calls() if other["pid"] != parent] == [("send", b"thanks")]
