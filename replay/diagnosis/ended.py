"""The rule about how the program itself ended: by an exception that nobody caught, and after which call.

Knows the run's exit status and its last calls; what was raised outside of socket calls it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from errno import EADDRINUSE, EINVAL, EMFILE, ENFILE, ENOTCONN
from typing import Any

from ..language import message, say
from ..words import outcome_words
from .finding import Finding
from .material import Material

_UNCAUGHT = 1
"""The status with which Python exits when an exception is not caught (Python documentation, sys.exit)."""
_LAST = 40
_TIDYING = frozenset({"close", "shutdown", "unregister", "detach"})
"""What `with`, `finally` and the interpreter's end still do on a socket when an exception is on its way."""
_FAILED = frozenset({"error", "reset", "broken_pipe", "aborted", "refused", "timeout", "would_block", "in_progress"})

_LEFT = (message("That a client leaves in the midst of it is nothing unusual. Where nobody catches the exception it ends the server, "
                 "and with it all other connections."),
         message("Catch it around the work for one client (`except OSError:`), close that connection, and go on with the others."))
_AGAIN = (message("The call could not wait, and there was nothing yet: an answer, not a fault. Where nobody catches it, it ends the "
                  "program."),
          message("Catch BlockingIOError around this one call and go on; or wait with select, poll or epoll until the socket is ready."))
_BY_OUTCOME = {
    "reset": _LEFT, "broken_pipe": _LEFT, "aborted": _LEFT, "would_block": _AGAIN, "in_progress": _AGAIN,
    "timeout": (message("A timeout is set on this socket, and its time was up. Where nobody catches TimeoutError, one slow client ends the "
                        "server."),
                message("Catch TimeoutError around this call and decide there: close that connection, or ask again.")),
    "refused": (message("Nobody listens at that address and port: the other program is not running yet, or listens elsewhere."),
                message("Start the server first, and compare address and port; `ss -ltn` lists who listens.")),
}
_BY_ERRNO = {
    EADDRINUSE: (message("Another socket holds this address and port: a server that still runs, or connections of an earlier one, "
                         "which the kernel keeps in TIME_WAIT for a minute."),
                 message("End the other server (`ss -ltnp` names it), or take another port; call setsockopt(SOL_SOCKET, SO_REUSEADDR, 1) "
                         "before bind, which gets past TIME_WAIT. See socket(7).")),
    ENOTCONN: (message("The socket has no other side: it was never connected, as a listener never is."),
               message("A server receives and sends on the socket that accept returned, a client after connect.")),
    EMFILE: (message("The process has as many descriptors open as it may (ulimit -n)."),
             message("Close connections when they are done (see forgotten-close); raise the limit if they are all in use.")),
}
_BY_ERRNO[ENFILE] = _BY_ERRNO[EMFILE]
_NO_LISTENER = (message("accept takes connections from a listener, and this socket is none."),
                message("Call bind and then listen on it before accept. See listen(2)."))
_OTHER = (message("Where nobody catches the exception of a failed call, it ends the program, and with it all its connections."),
          message("Read the traceback in the terminal: its last line names the error, the lines above the way there."))


def ended_by_error(material: Material) -> Iterator[Finding]:
    """A program that ended by itself with status 1, as when nobody catches an exception: after which call."""
    if material.run.exit_status != _UNCAUGHT or material.run.ended_by != "exit":
        return
    rows = material.named("explain_last_calls", most=_LAST)
    last = next((row for row in rows if row["operation"] not in _TIDYING or row["outcome"] in _FAILED), None)
    if last is None:
        return
    place = say(" on {where}", where=material.socket_name(last["socket_id"])) if last["socket_id"] else ""
    if last["outcome"] in _FAILED and not last["before"]:
        title = say("The program ended after {operation} had failed", operation=last["operation"])
        error = outcome_words(last["outcome"], last["errno"])
        seen = say("The program exited with status 1. The last thing that it did on a socket was {operation}{place}, and that failed: "
                   "{error}.", operation=last["operation"], place=place, error=error)
        why, advice = _meaning(last)
    else:
        title = say("The program ended by itself, with status 1")
        seen = say("The last thing that it did on a socket was {operation}{place}; what ended it came after that, outside of socket "
                   "calls.", operation=last["operation"], place=place)
        why, advice = (say("Python exits with status 1 when nobody catches an exception. What one client has sent can so end the server "
                           "for all of them."),
                       say("Read the traceback in the terminal. Catch what can go wrong for one client around the work for that client, "
                           "and close only its connection."))
    yield Finding("ended-by-error", title, seen, say(why), say(advice), "serious", "none", None, (last["id"],),
                  material.sites.get(last["site_id"]))


def _meaning(row: Any) -> tuple[str, str]:
    """Return why such a call fails, and what to do."""
    if row["operation"].startswith("accept") and row["errno"] == EINVAL:
        return _NO_LISTENER
    return _BY_OUTCOME.get(row["outcome"]) or _BY_ERRNO.get(row["errno"]) or _OTHER
