"""Turns what frameworks.py found into docs/frameworks.md.

Owns wording and figures; judges nothing. The same results always give the same text.
"""

from __future__ import annotations

from typing import Any

from .frameworks import TABLE

Results = dict[str, Any]
_WAITS = ("select", "poll", "epoll_wait", "accept")
_HEAD = """\
# Servers, clients and frameworks

What a recording shows of real programs, none of which knows of it. Each was run bare and under both cores by
`python -m sockreel.tests.judges.frameworks`, which wrote this page from docs/frameworks.json. A server is asked over a few
connections, some used more than once, with small and large answers; a client asks a server of its own; redis-py talks to a
real Redis. Between the two ends a forwarder counts what passes.

A program is *right* if it answers and ends as it does bare, if its trace holds every connection with the bytes that passed,
to the byte, and every request once, if no call is lost, and if `sockreel check` finds the trace whole.
"""
_TAIL = """\
## What is not seen

- What is no call of Python on a socket, and goes past it: a loop written in C (uvloop), a client library in C (hiredis only
  parses, and is seen; pycurl and psycopg are not), and calls that a C extension makes itself.
- Names: `getaddrinfo` asks the resolver in C. The connections that follow are seen.
- What HTTP says. A recording knows bytes, sockets and times; a request is what was received before something was sent.
- How a loop in another thread wakes up a waiting one: seen as calls on a socketpair or pipe of the program's own.

Nothing of the programs above was missed in the runs that made this page, except what its last column names.
"""


def page(results: Results) -> str:
    """Return docs/frameworks.md."""
    rows = [
        "| program | version | processes | connections | requests | received, sent | calls that wait | calls that move bytes "
        "| connections end by | verdict | not seen |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- | --- | --- | --- | --- |",
    ]
    for name, program in TABLE.items():
        kept = results[name]
        if kept["absent"]:
            rows.append(f"| {program.title} | not judged: {kept['absent']} |" + " |" * 9)
        else:
            rows.append("| " + " | ".join([program.title, kept["version"], *_cells(program.kind, kept)]) + " |")
    return "\n".join([_HEAD, "\n".join(rows), "", _TAIL])


def _cells(kind: str, kept: Results) -> list[str]:
    found = kept["cores"].get("c") or kept["cores"]["python"]
    connections = found["accepted"] if kind in ("server", "own") else found["connected"]
    received, sent = (sum(pair[at] for pair in connections) for at in (0, 1))
    # Folded into one line of names: how often a loop turned is another matter each time.
    waits = [name for name in found["operations"] if name in _WAITS]
    moves = [name for name in found["operations"] if name.startswith(("recv", "send", "read", "write"))]
    closed = [f"{how or 'never'} ({count})" for how, count in found["closed_by"].items()]
    wrong = [f"{core} core: {line}" for core, verdict in kept["cores"].items() for line in verdict["wrong"]]
    requests = f"{found['requests']}" if kind in ("server", "own") else "–"
    return [
        str(found["processes"]), str(len(connections)), requests, f"{received:,}, {sent:,}", ", ".join(sorted(waits)) or "none",
        ", ".join(sorted(moves)), ", ".join(closed), "; ".join(wrong) or f"right, {' and '.join(kept['cores'])} core",
        "; ".join(found["blind_spots"]) or "–",
    ]  # fmt: skip
