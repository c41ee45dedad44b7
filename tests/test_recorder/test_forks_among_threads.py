"""What a forked child does before its hooks have run is its own, and spoils nothing of its parent's tape."""

from __future__ import annotations

import pytest

from .playing import interpreter
from .recording import PROGRAMS, Recorder


@pytest.mark.parametrize("version", ["this", "3.8", "3.12", "3.13"])
def test_no_call_of_the_parent_is_written_over_by_its_child(record: Recorder, version: str) -> None:
    done = record(PROGRAMS / "forks_among_threads.py", python=interpreter(version))
    assert done.status == 0, done
    parent = int(done.out.split()[-1])
    sent = done.rows(
        "SELECT p.pid, y.data FROM calls c JOIN threads t ON t.id = c.thread_id JOIN processes p ON p.id = t.process_id"
        " JOIN operations o ON o.id = c.operation_id JOIN payloads y ON y.call_id = c.id WHERE o.name = 'send' ORDER BY c.id")
    told = [row["data"].decode() for row in sent if row["pid"] == parent and not row["data"].startswith(b"held")]
    assert told == [f"parent {n} {m}" for n in range(3) for m in range(20)]
    children = [row["data"].decode() for row in sent if row["pid"] != parent and row["data"].startswith(b"child")]
    assert children == [f"child {n}" for n in range(3)]
    strangers = done.rows("SELECT id FROM calls WHERE socket_id IS NOT NULL AND socket_id NOT IN (SELECT id FROM sockets)")
    assert strangers == []
    assert done.run["calls_lost"] == 0
