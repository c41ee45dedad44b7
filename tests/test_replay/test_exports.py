"""Tracks for other programs' timelines: what is written, read back by their own definitions."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from sockreel.replay.exports.chrome import write_chrome
from sockreel.replay.exports.perfetto import write_perfetto
from sockreel.replay.exports.strace_text import write_strace
from sockreel.replay.exports.tracks import KEPT, Count, Slice, Track, Tracks
from sockreel.tests.examples import FOLDED, SPINNING
from sockreel.tests.synthetic import MS, US, Recording, S
from sockreel.traces import Trace, open_trace
from sockreel.traces.excerpt import Excerpt


@pytest.fixture
def waits(tmp_path: Path) -> Path:
    """A run in which a wait makes two receives possible, and a client's exchange leads to one."""
    with Recording(tmp_path / "waits.db") as recording:
        for label in ("one", "two"):
            run = recording.run(label)
            thread, poller = run.thread(), run.socket(3, "poller", kind="epoll")
            clients = [run.socket(4 + n, peer=f"127.0.0.1:{5000 + n}") for n in range(2)]
            wait = run.call(thread, "epoll_wait", poller, at_ns=1 * MS, duration_ns=4 * MS, result=2)
            for n, client in enumerate(clients):
                recv = run.call(thread, "recv", client, at_ns=(6 + n) * MS, duration_ns=MS // 2, payload=b"x\x1b", timeout_ns=0,
                                ready_ns=(6 + n) * MS + 100_000, ready_source="kernel")
                recording.insert("links", from_call_id=wait, to_call_id=recv, kind="readiness")
            run.exchange("ada", 1, clients[0], sent_ns=5 * MS, answered_ns=9 * MS, first_call_id=recv)
            run.sample(1 * MS, 0, rss_bytes=1000)
            run.sample(5 * MS, 2 * MS, rss_bytes=2000)
            run.call(thread, "recv", clients[0], at_ns=10 * MS, duration_ns=None)
            run.finish(20 * MS)
    return tmp_path / "waits.db"


def excerpts(trace: Trace) -> list[Excerpt]:
    return [Excerpt(trace, run) for run in trace.runs()]


def slices(path: Path) -> list[Slice]:
    with open_trace(path) as trace:
        return [item for item in Tracks(excerpts(trace)).items() if isinstance(item, Slice)]


def test_every_track_is_announced_before_what_lies_on_it_and_ids_are_unique(lab: Path) -> None:
    with open_trace(lab) as trace:
        items = list(Tracks(excerpts(trace)).items())
    known: set[int] = set()
    for item in items:
        if isinstance(item, Track):
            assert item.id not in known
            assert item.parent is None or item.parent in known
            known.add(item.id)
        else:
            assert item.track.id in known
    assert {type(item) for item in items} == {Track, Slice, Count}
    places = Counter((item.pid, item.tid) for item in items if isinstance(item, Track) and item.kind in ("thread", "child"))
    assert set(places.values()) == {1}


def test_long_spins_keep_their_ends_and_count_what_lies_between(lab: Path) -> None:
    folded = [piece for piece in slices(lab) if piece.category == "folded"]
    assert sum(int(piece.told["calls"]) for piece in folded) == FOLDED + SPINNING - 2 * KEPT
    accepts = [piece for piece in slices(lab) if piece.name == "accept" and piece.track.kind == "thread"
               and piece.told["outcome"] == "would_block"]
    assert len(accepts) == 2 * KEPT


def test_slices_of_a_track_nest_even_where_threads_share_a_socket(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("overlapping")
        one, two, client = run.thread("one"), run.thread("two"), run.socket(4)
        outer = run.call(one, "sendall", client, at_ns=0, duration_ns=10 * MS, result=5)
        run.call(one, "send", client, at_ns=1 * MS, duration_ns=2 * MS, result=5, parent_id=outer)
        run.call(two, "recv", client, at_ns=5 * MS, duration_ns=20 * MS, payload=b"x")
        run.finish(S)
    lanes: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for piece in slices(tmp_path / "t.db"):
        lanes[piece.track.id].append((piece.start_ns, piece.end_ns))
    assert len(lanes) == 4  # two threads, and the socket twice
    for pieces in lanes.values():
        open_ends: list[int] = []
        for start_ns, end_ns in sorted(pieces, key=lambda piece: (piece[0], -piece[1])):
            while open_ends and open_ends[-1] <= start_ns:
                open_ends.pop()
            assert not open_ends or end_ns <= open_ends[-1]
            open_ends.append(end_ns)


def perfetto_packets(path: Path) -> list[Any]:
    trace_pb2 = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    out = io.BytesIO()
    with open_trace(path) as trace:
        write_perfetto(excerpts(trace), out)
    decoded = trace_pb2.Trace()
    decoded.ParseFromString(out.getvalue())
    assert decoded.ByteSize() == len(out.getvalue())  # nothing that the definitions do not know
    return list(decoded.packet)


def test_perfetto_reads_slices_that_nest_flows_that_resolve_and_both_runs(waits: Path) -> None:
    packets = perfetto_packets(waits)
    assert {packet.trusted_packet_sequence_id for packet in packets} == {1}
    assert packets[0].sequence_flags & 1
    names = {name.iid: name.name for packet in packets for name in packet.interned_data.event_names}
    tracks = {packet.track_descriptor.uuid: packet.track_descriptor for packet in packets if packet.HasField("track_descriptor")}
    open_slices: dict[int, list[str]] = defaultdict(list)
    begun: Counter[str] = Counter()
    flows: dict[str, list[int]] = {"out": [], "in": []}
    for packet in sorted((packet for packet in packets if packet.HasField("track_event")), key=lambda packet: packet.timestamp):
        event = packet.track_event
        assert event.track_uuid in tracks
        if event.type == 1:
            open_slices[event.track_uuid].append(names[event.name_iid])
            begun[names[event.name_iid]] += 1
            flows["out"] += event.flow_ids
            flows["in"] += event.terminating_flow_ids
        elif event.type == 2:
            open_slices[event.track_uuid].pop()
    assert not any(open_slices.values())
    # Two runs, each call on its thread and on its connection; the second phase of four receives.
    assert begun["recv"] == 2 * 2 * 3
    assert begun["wait for data"] == begun["wake-up + copy"] == 2 * 2 * 2
    assert sorted(flows["out"]) == sorted(flows["in"]) and len(set(flows["out"])) == 2 * 3
    processes = {track.process.process_name: track.process.pid for track in tracks.values() if track.HasField("process")}
    assert {name.split(":")[0] for name in processes} == {"one", "two"}
    assert len(set(processes.values())) == 4
    assert all(track.thread.tid >= 1 for track in tracks.values() if track.HasField("thread"))
    counters = [track for track in tracks.values() if track.HasField("counter")]
    assert {track.counter.y_axis_share_key for track in counters} == {"memory", "CPU"}
    values = {packet.track_event.counter_value for packet in packets if packet.track_event.type == 4}
    assert values == {1000, 2000, 50}
    connections = [track for track in tracks.values() if track.parent_uuid and not track.HasField("counter")]
    assert all(track.sibling_merge_behavior == 2 and track.parent_uuid in tracks for track in connections)


def test_chrome_reads_the_same_with_nanoseconds_intact(waits: Path) -> None:
    out = io.BytesIO()
    with open_trace(waits) as trace:
        write_chrome(excerpts(trace), out)
    told = json.loads(out.getvalue())
    events = told["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    assert Counter(event["name"] for event in spans)["recv"] == 12
    wait = next(event for event in spans if event["name"] == "epoll_wait")
    assert (wait["ts"], wait["dur"], wait["args"]["result"]) == (1000.0, 4000.0, 2)
    phase = next(event for event in spans if event["name"] == "wake-up + copy")
    assert phase["ts"] == 6100.0
    assert sorted(event["id"] for event in events if event["ph"] == "s") == sorted(event["id"] for event in events if event["ph"] == "f")
    assert {event["args"]["name"].split(":")[0] for event in events if event["name"] == "process_name"} == {"one", "two"}
    assert b'"ts":6000.000' in out.getvalue()
    assert b"\x1b" not in out.getvalue()


def test_a_run_of_ten_million_seconds_keeps_its_nanoseconds(tmp_path: Path) -> None:
    late_ns = 10_000_000 * S + 7
    with Recording(tmp_path / "t.db") as recording:
        run = recording.run("long")
        run.call(run.thread(), "recv", run.socket(4), at_ns=late_ns, duration_ns=1, payload=b"x")
        run.finish(late_ns + S)
    out = io.BytesIO()
    with open_trace(tmp_path / "t.db") as trace:
        write_chrome(excerpts(trace), out)
    assert b'"ts":10000000000000.007,"dur":0.001' in out.getvalue()


def test_text_in_the_manner_of_strace_tells_each_call_on_a_line(lab: Path) -> None:
    out = io.BytesIO()
    with open_trace(lab) as trace:
        write_strace([Excerpt(trace, trace.find_run("blocking"))], out)
    lines = out.getvalue().decode().splitlines()
    assert len(lines) == 6
    assert lines[0].split() == ["4242", "0.010000000", "accept(3)", "=", "2", "<0.290000000>", "#", "/home/ada/server.py:12"]
    assert "-1 ECONNRESET (Connection reset by peer) <0.000020000>" in lines[3]
    assert lines[5].split("  #")[0].endswith("accept(3) <unfinished ...>")
    assert all(" " <= letter <= "~" for line in lines for letter in line)
    with open_trace(lab) as trace:
        whole = io.BytesIO()
        write_strace([Excerpt(trace, run, payload=False) for run in trace.runs()], whole)
    assert whole.getvalue().count(b"\n#") + whole.getvalue().startswith(b"#") == 2
    assert b'"' not in whole.getvalue()


def test_a_window_holds_only_what_touches_it(waits: Path) -> None:
    with open_trace(waits) as trace:
        pieces = [item for item in Tracks([Excerpt(trace, trace.runs()[0], 6 * MS + 10 * US, 6 * MS + 20 * US)]).items()
                  if isinstance(item, Slice)]
    assert {piece.name for piece in pieces} == {"recv", "exchange 1"}
