"""Which core writes the tape, and why.

Owns the choice. A C core exists for the Python that sockreel was built with; every other
interpreter, and a build without a compiler, uses the Python core.
"""

import _imp
import _socket
import os
import sys


class CoreError(Exception):
    """The core that was asked for cannot be had."""


def choose(wanted, kernel_times=False):
    """Choose a core.

    Args:
        wanted: "c", "python", or "" for the best there is.
        kernel_times: it is to say when data arrived.

    Returns:
        (the module `_core` or None, "c" or "python", the reason in a few words).

    Raises:
        CoreError: "c" was asked for, and there is none for this interpreter.
    """
    if wanted == "python":
        return None, "python", "asked for"
    try:
        from . import _core
    except ImportError as error:
        why = _why_missing(error)
        if wanted == "c":
            raise CoreError("--core c: %s" % why)
        return None, "python", why
    if kernel_times:
        try:
            _core.lead_through(_socket.socket.recv)
        except OSError as error:
            if wanted == "c":
                raise CoreError("--core c with --kernel-times: %s" % error)
            return None, "python", "for --kernel-times: %s" % error
    return _core, "c", "asked for" if wanted == "c" else "built for this Python"


def _why_missing(error):
    folder = os.path.dirname(os.path.abspath(__file__))
    built = sorted(name for name in os.listdir(folder) if name.startswith("_core.") and name.endswith(".so"))
    if not built:
        return "the C core was not built"
    if not any(os.path.exists(os.path.join(folder, "_core" + suffix)) for suffix in _imp.extension_suffixes()):
        made_for = ", ".join(name.split(".")[1] for name in built)
        return "no C core for %s %d.%d (there is %s)" % (sys.implementation.name, sys.version_info[0], sys.version_info[1], made_for)
    return "the C core does not load: %s" % error
