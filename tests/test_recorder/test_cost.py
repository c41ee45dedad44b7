"""The measured cost of one call: in every head and run, and nothing of the measurement where the program could see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sockreel.recorder.launching.launch import INJECT, environment
from sockreel.recorder.tapes.tape import read_head

from .playing import interpreter
from .recording import Recorder, bare

CORES = ["c", "python"]
cores = pytest.mark.parametrize("core", CORES)


@cores
def test_every_run_says_what_recording_one_call_cost(record: Recorder, core: str) -> None:
    done = record(record.script("import socket; socket.socket().close()"), options=["--core", core])
    cost_ns = done.run["call_cost_ns"]
    assert done.run["core"] == core
    assert isinstance(cost_ns, int) and 0 < cost_ns < 1_000_000


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_it_is_measured_in_every_python(record: Recorder, version: str) -> None:
    done = record(record.script("import socket; socket.socket().close()"), python=interpreter(version))
    assert 0 < done.run["call_cost_ns"] < 1_000_000


@cores
def test_the_measurement_is_not_in_the_trace(record: Recorder, core: str) -> None:
    script = record.script("import socket; a, b = socket.socketpair(); a.send(b'x'); b.recv(1); a.close(); b.close()")
    done = record(script, options=["--core", core])
    assert [name for name, _ in done.outcomes()] == ["send", "recv", "close", "close"]
    assert done.run["calls_recorded"] == 4 and done.run["calls_lost"] == 0
    assert done.rows("SELECT count(*) AS n FROM sockets") == [{"n": 2}]
    assert done.rows("SELECT count(*) AS n FROM threads") == [{"n": 1}]
    assert {row["function"] for row in done.calls()} == {"<module>"}


LEFT_BEHIND = """
    import gc, json, os, sys
    import _socket
    print(json.dumps({
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "classes": [kind.__name__ for kind in _socket.socket.__subclasses__()],
        "sockets": sum(isinstance(thing, _socket.socket) for thing in gc.get_objects()),
        "modules": sorted(name for name in sys.modules if "sockreel" in name or name in {names!r}),
        "errors": [str(sys.exc_info()[1]), hasattr(sys, "last_value")],
    }))
"""


@cores
def test_the_program_finds_nothing_of_it(record: Recorder, core: str) -> None:
    names = ["socket", "selectors", "struct", "ctypes", "threading", "cost", "methods", "tape"]
    script = record.script(LEFT_BEHIND.replace("{names!r}", repr(names)))
    done, plain = record(script, options=["--core", core]), bare(sys.executable, script)
    assert json.loads(plain.stdout)["sockets"] == 0
    assert done.said == json.loads(plain.stdout)


@cores
def test_the_first_descriptor_of_the_program_is_the_one_it_has_without_us(record: Recorder, core: str) -> None:
    script = record.script("import os; print(os.open(os.devnull, os.O_RDONLY))")
    assert record(script, options=["--core", core]).out == bare(sys.executable, script).stdout


def test_where_no_socket_can_be_made_there_is_no_figure_and_no_error() -> None:
    measure = f"""
import resource, sys
package = type(sys)("_sockreel_agent")
package.__path__ = [{str(INJECT.parent)!r}]
sys.modules["_sockreel_agent"] = package
from _sockreel_agent import cost
measured = cost.measure(None)
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
print(measured > 0, cost.measure(None))
"""
    done = subprocess.run([sys.executable, "-c", measure], capture_output=True, text=True, check=True)
    assert done.stdout == "True 0\n"


def test_what_no_record_can_be_as_quick_as_is_not_called_measured() -> None:
    measure = f"""
import sys
package = type(sys)("_sockreel_agent")
package.__path__ = [{str(INJECT.parent)!r}]
sys.modules["_sockreel_agent"] = package
from _sockreel_agent import cost
class Stopped:
    monotonic_ns = staticmethod(lambda: 0)
cost.time = Stopped
print(cost.measure(None))
"""
    done = subprocess.run([sys.executable, "-c", measure], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_a_forked_child_has_the_figure_of_its_parent(tmp_path: Path) -> None:
    (tmp_path / "settings").write_text("payload 0\n")
    program = "import os, socket; socket.socket().close(); os.fork() or os._exit(socket.socket().close() or 0); os.wait()"
    subprocess.run([sys.executable, "-c", program], env=environment(tmp_path, os.environb), check=True)
    parent, child = sorted((read_head(path) for path in tmp_path.glob("*.head")), key=lambda head: head.forked)
    assert (parent.forked, child.forked) == (False, True)
    assert parent.cost_ns == child.cost_ns > 0
