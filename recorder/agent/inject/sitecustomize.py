"""Found first on PYTHONPATH by the interpreter that is to be recorded: loads the agent, then steps aside.

Runs under every Python, 2.7 included, so that one that is too old can be named. The program's
environment, path and modules are given back before its first line runs. The host's own
sitecustomize runs afterwards, if there is one.
"""

import os
import sys


def _step_aside():
    """Take ourselves out of path, modules and environment; return the tape directory (or None) and our folder."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    sys.path_importer_cache.pop(here, None)
    sys.modules.pop("sitecustomize", None)
    folder = os.environ.get("SOCKREEL_AGENT")
    # The mapping only: the C environment keeps our keys, so that children inherit them.
    data = getattr(os.environ, "_data", None)
    if folder is None or data is None:
        return folder, here
    data.pop(b"SOCKREEL_AGENT", None)
    was_empty = data.pop(b"SOCKREEL_EMPTY_PYTHONPATH", None) is not None
    ours = os.fsencode(here)
    path = data.get(b"PYTHONPATH", b"")
    if path.startswith(ours + b":"):
        data[b"PYTHONPATH"] = path[len(ours) + 1 :]
    elif path == ours and was_empty:
        data[b"PYTHONPATH"] = b""
    elif path == ours:
        del data[b"PYTHONPATH"]
    return folder, here


def _start(folder, here):
    """Load the agent by file path under a private name, and start it."""
    if sys.version_info < (3, 8):
        _say(folder, "%s is Python %d.%d, and sockreel records from 3.8 on" % (sys.executable, sys.version_info[0], sys.version_info[1]))
        return
    if sys.implementation.name != "cpython" or not sys.platform.startswith("linux"):
        _say(folder, "%s is %s on %s, and sockreel records CPython on Linux" % (sys.executable, sys.implementation.name, sys.platform))
        return
    if "t" in getattr(sys, "abiflags", ""):
        _say(folder, "%s runs without a global lock (free-threaded), and sockreel records Pythons that have one" % sys.executable)
        return
    if _is_here(folder):
        _say(folder, "code in a sub-interpreter is not recorded, only that of the main one", "sub")
        return
    try:
        package = type(sys)("_sockreel_agent")
        package.__path__ = [os.path.dirname(here)]
        sys.modules["_sockreel_agent"] = package
        try:
            from _sockreel_agent import apart
        finally:
            del sys.modules["_sockreel_agent"]
        apart.begin(package)
        apart.load("start").start(folder)
    except Exception as error:
        _say(folder, "the agent could not start: %s: %s" % (type(error).__name__, error))


def _is_here(folder):
    """Say whether this process, in another interpreter of it, writes a tape already: exec takes mappings away."""
    try:
        with open("/proc/self/maps", "rb") as maps:
            return any(b" %s/" % os.fsencode(folder) in line for line in maps)
    except Exception:
        return False


def _say(folder, reason, ending="unrecorded"):
    """Leave a word for the recorder: this process runs unrecorded, and why; or what of it does (ending `sub`)."""
    try:
        path = os.path.join(folder, "%d.%s" % (os.getpid(), ending))
        if os.path.exists(path):
            return
        descriptor = os.open(path + ".part", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        os.write(descriptor, reason.encode("utf-8", "replace"))
        os.close(descriptor)
        os.rename(path + ".part", path)  # the recorder looks all the time: it is to find all of it
    except Exception:
        pass


_ourselves = sys.modules.get("sitecustomize")  # Python 2 empties a module that nobody holds
_folder, _here = _step_aside()
if _folder:
    _start(_folder, _here)
del _folder, _here

import sitecustomize  # noqa: E402,F401  the host's own; none: an ImportError that site expects
