"""Sockets that an event loop makes for itself, to be woken by its own threads and signals.

Owns the list of the functions that make them: a socket is the loop's own if one of these met it first, not because
it looks so. The trace keeps all calls on them; readers hide them unless asked.
"""

from .whereabouts import AGENT

_MAKERS = (  # function, end of its file
    ("_make_self_pipe", "/asyncio/selector_events.py"),  # asyncio, and so uvicorn, aiohttp and tornado on it
    ("_make_self_pipe", "/asyncio/proactor_events.py"),
    ("__init__", "/trio/_core/_wakeup_socketpair.py"),
    ("__init__", "/tornado/platform/asyncio.py"),
    ("__init__", "/curio/kernel.py"),
)
_MOST_FRAMES = 12


def is_internal(frame):
    """Say whether a socket that is met in a frame is an event loop's own.

    Args:
        frame: of the agent, somewhere inside of the call that met it.
    """
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return False
        code = frame.f_code
        if not code.co_filename.startswith(AGENT) and not code.co_filename.endswith("/socket.py"):
            return any([code.co_name == name and code.co_filename.endswith(end) for name, end in _MAKERS])
        frame = frame.f_back
    return False
