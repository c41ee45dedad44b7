"""`sockreel sweep`: real servers, few clients."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from sockreel.tests.commandline import CommandLine


def test_a_small_sweep_measures_ends_what_cannot_go_on_and_can_be_drawn_again(tmp_path: Path, sockreel: CommandLine) -> None:
    trace, svg = tmp_path / "sweep.db", tmp_path / "growth.svg"
    said = sockreel("sweep", "--models", "blocking,nonblocking,epoll_level", "--clients", "1,20", "--repeat", "1", "--for", "100ms",
                    "-o", trace, "--svg", svg, "--json")
    assert said.status == 0, said.err
    servers = {one["server"]: one for one in said.json["servers"]}
    blocked = servers["blocking"]["ended"]
    assert (blocked["clients"], blocked["connected"], blocked["answered"]) == (20, 1, 0)
    assert blocked["why"] == "it waits in recv for a client that says nothing"
    for name in ("nonblocking", "epoll_level"):
        assert servers[name]["ended"] is None
        calls = servers[name]["metrics"]["calls_per_exchange"]["points"]
        assert [point["clients"] for point in calls] == [1, 20]
        assert all(run["connected"] == run["clients"] and run["exchanges"] > 1 and run["cpu_ns"] > 0 for run in servers[name]["runs"])
    polled = [servers[name]["metrics"]["calls_per_exchange"]["points"][1]["median"] for name in ("nonblocking", "epoll_level")]
    assert polled[0] > 20 > 5 > polled[1]
    assert svg.read_text().startswith("<svg")
    again = sockreel("sweep", "--read", trace, "--json")
    assert again.json == said.json
    assert "ends at 20: it waits in recv" in sockreel("sweep", "--read", trace).out
    assert sockreel("export", trace, "--format", "growth", "-o", "-").out == svg.read_text()
    assert sockreel("check", trace).status == 0
    labels = [run["label"] for run in sockreel("runs", trace, "--json").json]
    assert labels == ["blocking/1/1", "nonblocking/1/1", "epoll_level/1/1", "blocking/20/1", "nonblocking/20/1", "epoll_level/20/1"]
    with contextlib.closing(sqlite3.connect(trace)) as connection, connection:
        connection.execute("UPDATE runs SET ended_by = 'interrupt' WHERE label = 'epoll_level/20/1'")
    left = {one["server"]: [run["clients"] for run in one["runs"]] for one in sockreel("sweep", "--read", trace, "--json").json["servers"]}
    assert left == {"blocking": [1, 20], "nonblocking": [1, 20], "epoll_level": [1]}


def test_a_trace_without_a_sweep_and_wrong_words_are_one_line(lab: Path, sockreel: CommandLine) -> None:
    assert "holds no sweep" in sockreel("sweep", "--read", lab).err
    assert "--active" in sockreel("sweep", "--active", "none").err
    assert "there is no model" in sockreel("sweep", "--models", "best").err
    assert "no sweep" in sockreel("export", lab, "--format", "growth", "-o", "-").err
