"""What the doctor finds: each probe on this machine, and where what it looks for is really not there.

A faked answer of the kernel is one that _kernel_probes.py has really given under a limit or in its place.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sockreel.recorder import _kernel_probes, doctor
from sockreel.recorder.agent import layout
from sockreel.traces import TraceError

from .playing import interpreter

PROBES = list(_kernel_probes.PROBES)
NO_DESCRIPTORS = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0)); "
ASKING = "from sockreel.recorder import _kernel_probes as probes; import fcntl, ctypes; "


def asked_with(limits: str, name: str) -> dict[str, Any]:
    """What a probe answers in a process that was limited before it asked."""
    program = f"{ASKING}ctypes.CDLL(None).unshare; {limits}probes.main({name!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


REFUSED = {"refused": "Operation not permitted"}


def answering(**answers: Mapping[str, Any]) -> doctor.Ask:
    """A kernel that answers so, and refuses everything else."""
    return lambda name: answers.get(name, REFUSED)


# The kernel.


@pytest.mark.parametrize("name", PROBES)
def test_every_question_has_an_answer_here(name: str) -> None:
    answer = doctor.ask_kernel(name)
    assert answer
    assert all(isinstance(value, str | int | bool) for value in answer.values())
    assert "Traceback" not in str(answer)


@pytest.mark.parametrize("name", ["kernel_times", "packets", "namespaces", "pidfd"])
def test_a_refusal_is_told_in_the_kernels_words(name: str) -> None:
    assert asked_with(NO_DESCRIPTORS, name) == {"refused": "Too many open files"}


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root may not drop rights")
def test_without_the_right_to_it_a_packet_capture_is_refused_as_in_the_fake() -> None:
    assert asked_with("import os; os.setgroups([]); os.setgid(65534); os.setuid(65534); ", "packets") == REFUSED


def test_a_question_that_kills_its_asker_is_answered_by_the_signal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deadly = tmp_path / "deadly.py"
    deadly.write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    monkeypatch.setattr(doctor, "_PROBES", deadly)
    assert doctor.ask_kernel("liburing") == {"refused": "asking ends a process with SIGILL"}


def test_a_question_that_never_returns_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    endless = tmp_path / "endless.py"
    endless.write_text("import signal; signal.pause()")
    monkeypatch.setattr(doctor, "_PROBES", endless)
    assert doctor.ask_kernel("packets", patience_s=0.2) == {"refused": "no answer within 0.2 s"}


def test_a_question_nobody_knows_is_no_traceback() -> None:
    assert doctor.ask_kernel("weather") == {"refused": "KeyError: 'weather'"}


@pytest.mark.parametrize("probe", [doctor.pidfd, doctor.kernel_times, doctor.packets, doctor.namespaces, doctor.io_uring])
def test_what_the_kernel_refuses_is_missing_with_its_reason_and_a_remedy(probe: Any) -> None:
    finding = probe(answering())
    assert finding.state == "missing"
    assert REFUSED["refused"] in finding.text
    assert finding.remedy
    assert finding.needed == (probe is doctor.pidfd)


def test_kernel_times_by_one_option_are_enough() -> None:
    found = doctor.kernel_times(answering(kernel_times={"SO_TIMESTAMPING": False, "SO_TIMESTAMPNS": True}))
    assert found.state == "ok" and found.text.startswith("SO_TIMESTAMPNS tell")
    assert doctor.kernel_times(answering(kernel_times={"SO_TIMESTAMPING": False, "SO_TIMESTAMPNS": False})).state == "missing"
    assert set(doctor.ask_kernel("kernel_times")) == {"SO_TIMESTAMPING", "SO_TIMESTAMPNS"}


def test_packets_only_in_a_namespace_are_limited() -> None:
    found = doctor.packets(answering(namespaces={"entered": True, "packets": True}))
    assert found.state == "limited" and "network of one's own" in found.text
    twice = doctor.packets(answering(packets={"captured": True, "once": False}))
    assert twice.state == "limited" and "twice" in twice.text
    assert doctor.packets(answering(packets={"captured": True, "once": True})).state == "ok"


def test_a_ring_without_a_working_package_is_limited() -> None:
    ring = {"entries": 8, "features": 1}
    broken = doctor.io_uring(answering(io_uring=ring, liburing={"refused": "asking ends a process with SIGILL"}))
    assert broken.state == "limited" and "SIGILL" in broken.text and "pip install" in broken.remedy
    assert doctor.io_uring(answering(io_uring=ring, liburing={"installed": False})).state == "ok"
    assert doctor.io_uring(answering(io_uring=ring, liburing={"installed": True})).state == "ok"


# Recording.


def test_our_own_python_is_recorded_with_its_core_and_its_cost() -> None:
    trial = doctor.try_python(sys.executable)
    assert (trial.refused, trial.calls, trial.executable) == ("", 4, sys.executable)
    finding = doctor.recording("recording", trial)
    assert finding.state == ("ok" if trial.core == "c" else "limited")
    assert trial.why in finding.text
    cost = doctor.call_cost("cost", trial)
    assert cost.state == "ok" and f"{trial.cost_ns:,} ns" in cost.text


def test_a_python_without_a_c_core_is_limited_and_says_why() -> None:
    trial = doctor.try_python(interpreter("3.8"))
    assert (trial.core, trial.calls) == ("python", 4)
    finding = doctor.recording("recording", trial)
    assert finding.state == "limited" and "no C core for cpython 3.8" in finding.text


@pytest.mark.parametrize("version", ["2.7", "3.7"])
def test_a_python_that_is_too_old_is_named(version: str) -> None:
    finding = doctor.recording("recording", doctor.try_python(interpreter(version)))
    assert (finding.state, finding.needed) == ("missing", True)
    assert f"is Python {version}, and sockreel records from 3.8 on" in finding.text


NO_PYTHON = {
    "true": ("exit 0", "no Python's agent answered"),
    "false": ("echo broken >&2; exit 3", "it ended with 3: broken"),
    "isolated": (f"exec {shlex.quote(sys.executable)} -I \"$@\"", "no Python's agent answered"),
}


@pytest.mark.parametrize("name", NO_PYTHON)
def test_what_is_no_recordable_python_is_missing_and_needed(tmp_path: Path, name: str) -> None:
    program, said = NO_PYTHON[name]
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o700)
    trial = doctor.try_python(str(path))
    finding = doctor.recording("recording", trial)
    assert (finding.state, finding.needed) == ("missing", True)
    assert said in finding.text and str(path) in finding.text and finding.remedy
    assert doctor.call_cost("cost", trial).state == "missing"


def test_calls_that_did_not_reach_the_tape_are_told() -> None:
    finding = doctor.recording("recording", doctor.Trial("python", version="3.11.7", core="c", calls=3))
    assert finding.state == "missing" and "3 of 4 calls" in finding.text


def test_counting_without_c_is_limited() -> None:
    def absent() -> object:
        raise ImportError("not built")

    assert doctor.counting(absent).state == "limited"
    with pytest.raises(ImportError):
        __import__("sockreel.recorder.tapes._slots_that_is_not_there")
    assert doctor.counting(lambda: None).state == "ok"


# Where things are kept.


def test_a_tape_that_fits_is_reserved_and_given_back(tmp_path: Path) -> None:
    finding = doctor.shared_memory(tmp_path)
    assert finding.state == "ok" and finding.facts["tape_bytes"] > 17 * layout.SEGMENT_BYTES["c"]
    assert list(tmp_path.iterdir()) == []


def test_shared_memory_that_is_not_there_or_too_small_is_limited(tmp_path: Path) -> None:
    absent = doctor.shared_memory(tmp_path / "none")
    assert absent.state == "limited" and "there is no" in absent.text and absent.remedy
    space = os.statvfs(tmp_path)
    full = doctor.shared_memory(tmp_path, needed_bytes=2 * space.f_blocks * space.f_frsize)
    assert full.state == "limited" and "cannot hold a tape" in full.text and full.remedy
    assert not absent.needed and not full.needed


def test_sqlite_makes_a_trace_or_says_why_not() -> None:
    assert doctor.sqlite().state == "ok"

    def refuse(path: Path) -> Any:
        raise TraceError(f"{path} cannot be written")

    finding = doctor.sqlite(refuse)
    assert (finding.state, finding.needed) == ("missing", True)
    assert "cannot be written" in finding.text


# Other tracers.


@pytest.mark.parametrize("name", ["strace", "perf"])
def test_a_tracer_is_there_missing_or_may_not_trace(tmp_path: Path, name: str) -> None:
    assert doctor.tool(name, path=str(tmp_path)).state == "missing"
    fake = tmp_path / name
    fake.write_text("#!/bin/sh\necho 'ptrace: Operation not permitted' >&2\nexit 1\n")
    fake.chmod(0o700)
    found = doctor.tool(name, path=str(tmp_path))
    assert found.state == "limited" and "ptrace: Operation not permitted" in found.text and found.remedy
    assert doctor.tool(name).state in ("ok", "limited", "missing")
