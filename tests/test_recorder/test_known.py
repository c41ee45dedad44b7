"""The libraries that hide socket calls: found by the names of modules and files, told in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sockreel.recorder.agent import layout
from sockreel.recorder.draining.known import KNOWN, by_library, by_module, libraries
from sockreel.recorder.draining.moved import moved_quickly, moved_slowly, ways_of

DOCS = Path(__file__).parents[2] / "docs" / "blind-spots.md"


@pytest.mark.parametrize("name, known", [
    ("uvloop.loop", "uvloop"), ("gevent._gevent_cevent", "gevent"), ("psycopg2._psycopg", "libpq"), ("zmq.backend.cython._zmq", "ZeroMQ"),
    ("cassandra.io.libevwrapper", "the Cassandra driver's event loop"), ("cassandra.cmurmur3", None), ("hiredis.hiredis", None),
    ("aiohttp._http_parser", None), ("_asyncio", None), ("uvloopy", None), ("pymongo._cmessage", None), ("greenlet._greenlet", None),
])  # fmt: skip
def test_an_extension_is_known_by_its_name_or_that_of_its_package(name: str, known: str | None) -> None:
    found = by_module(name)
    assert (found.name if found else None) == known


@pytest.mark.parametrize("file, known", [
    ("libpq.so.5", "libpq"), ("libpq-9c3a51.so.5.17", "libpq"), ("libcurl-gnutls.so.4.8.0", "pycurl"), ("libcurl.so.4", "pycurl"),
    ("libzmq-b3d.so.5.2.5", "ZeroMQ"), ("libssh2.so.1", "libssh2"), ("libevent-2.1.so.7", "libev or libevent"), ("libc.so.6", None),
    ("libpthread.so.0", None), ("libpqxyz.so", None), ("pq.so", None), ("libuv.so.1", "pyuv"), ("liburing.so.2", "liburing"),
])  # fmt: skip
def test_a_shared_library_is_known_with_whatever_version(file: str, known: str | None) -> None:
    found = by_library(file)
    assert (found.name if found else None) == known


def test_libraries_are_read_from_a_process_map() -> None:
    assert "libc.so.6" in libraries(Path("/proc/self/maps").read_bytes())
    odd = b"7f00-7f01 r-xp 0 fe:00 1    /my libs/lib pq.so.5 (deleted)\n7f00-7f01 rw-p 0 00:00 0 \n7ffc-7ffd r-xp 0 0:0 0 [vdso]\n"
    assert libraries(odd) == {"lib pq.so.5"}


def test_the_docs_list_every_library_that_is_known() -> None:
    text = DOCS.read_text()
    table = text.partition("## Libraries that are known")[2].partition("\n\n", )[2].partition("\n\n")[0]
    assert table.splitlines()[2:] == [f"| {known.name} | {known.is_} |" for known in KNOWN]


slot = st.tuples(
    st.integers(0, 3), st.sampled_from([2, 3, 8, 9, 25, 40, 41, 44]), st.sampled_from([layout.NOTHING, -1, 0, 1, 500, 1 << 40]),
    st.sampled_from([layout.NOTHING, 0, 7, 5000]), st.sampled_from([0, 2, 0x40, 0xFFFFFFFF]),
)  # fmt: skip


@pytest.mark.skipif(moved_quickly is None, reason="the C functions were not built")
@given(st.lists(slot, max_size=200))
def test_both_ways_of_summing_bytes_give_the_same(calls: list[tuple[int, int, int, int, int]]) -> None:
    data = bytearray(layout.SLOT_BYTES * len(calls))
    for at, (socket, operation, result, asked, flags) in enumerate(calls):
        layout.SLOT_OPEN.pack_into(data, at * layout.SLOT_BYTES, 1, socket, 1, asked, -1, 0, 0, flags, 0, operation, layout.OPEN)
        layout.SLOT_DONE.pack_into(data, at * layout.SLOT_BYTES + layout.SLOT_DONE_AT, 1, result, 0, 0, 2, 0, layout.COMPLETE)
    ways = ways_of(layout.OPERATIONS)
    assert moved_quickly is not None
    assert sorted(moved_quickly(bytes(data), ways)) == sorted(moved_slowly(bytes(data), ways))
    assert sum(row[1] for row in moved_slowly(bytes(data), ways)) == sum(
        result for socket, operation, result, _, flags in calls if socket and operation in (2, 3, 40) and result > 0 and not flags & 2)
