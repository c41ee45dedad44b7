"""What the kinds of questions are about, in words.

Owns their names. Knows nothing of how they are made.
"""

from __future__ import annotations

from ..telling import message

KINDS = {
    "call": message("what a call does when it is made"),
    "left": message("the end of a stream"),
    "reset": message("a connection that was reset"),
    "readable": message("what readiness promises"),
    "writable": message("what readiness promises"),
    "drain": message("reading until EAGAIN"),
    "inherit": message("the connections of a nonblocking listener"),
    "how_many": message("a stream of bytes without messages"),
    "sent": message("what a send promises"),
    "sockets": message("listeners and connections"),
    "life": message("the life of a connection"),
    "beside": message("one thread for each connection"),
    "served": message("who is served next"),
    "turn": message("the queue in which connections wait"),
    "why": message("who waits for whom"),
    "lay": message("what a sleep in the loop costs"),
    "line": message("which line runs"),
    "next": message("which line comes next"),
    "fruitless": message("calls for nothing"),
    "phase": message("the two phases of a call"),
    "copying": message("the two phases of a call"),
    "model": message("the five I/O models"),
    "asyncio": message("asyncio, and what asynchronous means"),
    "copier": message("who copies"),
    "again": message("edge- and level-triggered epoll"),
}
"""What each kind is about. None is shown before an answer is given: it would tell too much."""
