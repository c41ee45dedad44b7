"""Prints what a program can see of itself and its surroundings, as one JSON object that must not depend on a recorder.

What differs from run to run by nature (ids, addresses, ports) is left out.
"""
# Runs under Python 3.8, too.
# ruff: noqa: E501

import json
import os
import signal
import sys


def modules():
    return sorted(name for name in sys.modules if name in ("socket", "select", "selectors", "threading", "subprocess", "sitecustomize"))


before_import = modules()
fds_before = sorted(os.listdir("/proc/self/fd"), key=int)

import socket  # noqa: E402

first = socket.socket()
first.bind(("127.0.0.1", 0))
first.listen()
fds_with_socket = sorted(os.listdir("/proc/self/fd"), key=int)
handlers = {}
for number in sorted(signal.valid_signals()):
    handlers[int(number)] = repr(signal.getsignal(number))

print(json.dumps({
    "argv": sys.argv,
    "orig_argv": getattr(sys, "orig_argv", None),
    "name": __name__,
    "file": __file__,
    "main": sys.modules["__main__"].__dict__.get("__spec__") is None,
    "globals": sorted(name for name in globals() if name.startswith("__")),
    "path": sys.path,
    "flags": repr(sys.flags),
    "environ": dict(os.environ),
    "environb": sorted(os.environb.keys() != set() and [key.decode() for key in os.environb]),
    "copy": sorted(os.environ.copy()),
    "getenv": [os.getenv(name) for name in ("PYTHONPATH", "SOCKREEL_AGENT", "SOCKREEL_EMPTY_PYTHONPATH")],
    "before_import": before_import,
    "modules": modules(),
    "ours": sorted(name for name in sys.modules if "sockreel" in name),
    "recorder": sorted(name for name in sys.modules if name.split(".")[0] in ("recorder", "replay", "traces", "agent", "commands", "layout", "core")),
    "fds": fds_before,
    "fds_with_socket": fds_with_socket,
    "first_fd": first.fileno(),
    "handlers": handlers,
    "mask": sorted(int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "wakeup": signal.set_wakeup_fd(-1),
    "cwd": os.getcwd(),
    "umask": os.umask(0o22),
    "nice": os.nice(0),
    "pgrp": os.getpgrp() == os.getpid(),
    "stdin": sys.stdin.read(),
    "isatty": [os.isatty(number) for number in range(3)],
    "hooks": [repr(sys.gettrace()), repr(sys.getprofile()), sys.excepthook is sys.__excepthook__],
    "meta_path": [getattr(finder, "__name__", type(finder).__name__) for finder in sys.meta_path],
    "recursion": sys.getrecursionlimit(),
    "timeout": socket.getdefaulttimeout(),
    "socket": [socket.__file__, socket.__spec__.name, type(socket.__loader__).__name__, type(socket.__spec__.loader).__name__],
    "importer_cache": sorted(path for path in sys.path_importer_cache if "inject" in path or path.endswith("agent")),
}, sort_keys=True))
