"""Blind spots as they are told: the trace holds them as English sentences, of forms that are known.

Owns those forms. A sentence of no known form (of another version, or of an error's own words) is told as it was stored.
"""

from __future__ import annotations

import re
from functools import lru_cache

from .language import ENGLISH, say, spoken_code
from .telling import message

_FORMS = tuple(map(message, (
    "{name} was loaded, {about}: {missing}",
    "{n} TCP connections moved {bytes} bytes in calls that were not recorded (by peer: {named}), as the kernel counted",
    "a TCP connection moved {bytes} bytes in calls that were not recorded (by peer: {named}), as the kernel counted",
    "{n} sockets were opened outside of Python's socket module, and what they did is not in this trace: {named}",
    "a socket was opened outside of Python's socket module, and what it did is not in this trace: {named}",
    "{command} (pid {pid}) was not recorded: {reason}",
    "{command} itself was not recorded, only its children",
    "nothing was recorded: {reason}",
    "no Python that could be reached",
    "no Python 3.8 or newer started in {command} (or it ended before that, or was kept from reading PYTHONPATH)",
    "{command} ran with {flag}",
    "its environment holds an empty SOCKREEL_AGENT",
    "{program} is Python {version}, and sockreel records from 3.8 on",
    "{program} is {python} on {system}, and sockreel records CPython on Linux",
    "{program} runs without a global lock (free-threaded), and sockreel records Pythons that have one",
    "code in a sub-interpreter is not recorded, only that of the main one",
    "the agent could not start: {error}",
    "what happened after {time} s: {reason}",
    "no room is left in {folder}",
    "payloads of some calls were not kept: the disk was nearly full",
    "process {pid} ran on unrecorded when the run was recovered",
    "the recorder died and its tape was gone: what happened last is not known",
    "the recorder died: how many packets were lost is not known, and later ones were not captured",
    "the agent met {n} errors of its own: details of as many calls may be missing",
    "{n} notes of the agent were spoilt: sockets, places or links of some calls are missing",
    "a note of the agent was spoilt: sockets, places or links of some calls are missing",
    ("a process changed its root directory: calls that no longer found room on its tape, and children it forked since, "
     "are not in this trace"),
    "a process had no descriptor left (EMFILE) to go on with its tape: calls that found no room on it then were counted only",
    "a file object was opened on a socket's descriptor (os.fdopen): what it reads and writes is not seen",
    "{named}, and {n} more",
    "{named} and {n} more",
)))
_PARTS = tuple(map(message, (
    "the connections that it makes, their calls and its waits are not in this trace",
    "the calls on the sockets that it serves, and its waits, are not in this trace",
    "its waits are not in this trace; the calls that its sockets make are, with EAGAIN where a greenlet then waits",
    "what was submitted to its rings is not in this trace",
    "an event loop in C (libuv)", "which waits in C (libev or libuv)", "an HTTP client in C (libcurl)",
    "which sends and receives in threads of its own, in C++", "whose transport is written in C++", "PostgreSQL's client in C",
    "a database client in C", "behind which drivers in C talk to databases", "which waits in C (libev)",
    "a Kafka client in C, with threads of its own", "which sends and receives in threads of its own, in C", "a memcached client in C",
    "an SSH client in C", "a web server in C", "a web server in C (libev)", "a web server in C (picoev)", "a web server in Rust",
    "an event loop in Rust", "libuv in C", "an event loop in C", "a client in C", "io_uring from C",
    "MySQL's C client", "Oracle's C client", "the Cassandra driver's event loop", "NATS or MQTT in C",
)))
"""What sentences are made of whose whole form is above."""
_SAID_AGAIN = frozenset({"reason", "about", "missing", "name", "named"})
"""Places that hold words of ours, not names of the program's."""


def spot_words(sentence: str) -> str:
    """Return a blind spot in the language that is spoken; as it was stored where its form is not known."""
    if spoken_code() == ENGLISH:
        return sentence
    if sentence in _PARTS:
        return say(sentence)
    for pattern, form in _patterns():
        found = pattern.fullmatch(sentence)
        if found is not None:
            return say(form, **{name: spot_words(value) if name in _SAID_AGAIN else value for name, value in found.groupdict().items()})
    return sentence


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(re.sub(r"\\{(\w+)\\}", _place, re.escape(form)), re.DOTALL), form) for form in _FORMS)


def _place(found: re.Match[str]) -> str:
    """Return the pattern of what stands in a place: a number where the form counts."""
    what = r"[\d,.]+" if found[1] in ("n", "bytes", "time", "pid") else ".+?"
    return f"(?P<{found[1]}>{what})"
