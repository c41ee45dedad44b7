"""The tools that are measured: how each runs a program, and what reads its output.

Owns the list. A tool that works here has proved it in a trial (execution.try_tool); nothing is believed of a version.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .outputs import Record, count_events, count_lines, count_trace, read_events, read_lines, read_trace

Command = Sequence[str | Path]
_SYSTEM_CALLS = ("accept4", "recvfrom", "sendto")
# One line a call, in the manner of strace.
_BPFTRACE = "\n".join(
    f"""\
tracepoint:syscalls:sys_enter_{name} /pid == cpid/ {{ @start[tid] = nsecs; @fd[tid] = args->fd; }}
tracepoint:syscalls:sys_exit_{name} /pid == cpid && @start[tid]/ {{
  printf("%d %s(%d) = %d <%d>\\n", tid, "{name}", @fd[tid], args->ret, nsecs - @start[tid]);
  delete(@start[tid]); delete(@fd[tid]);
}}"""
    for name in _SYSTEM_CALLS
)
# perf and bpftrace need tracefs, which many machines have not mounted: it is, in a mount namespace that ends with them.
_TRACEFS = (
    "unshare", "--mount", "sh", "-c",
    '[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing; exec "$@"', "sh",
)  # fmt: skip


@dataclass(frozen=True)
class Tool:
    """One way to look at a program.

    Args:
        name: the key in options and results.
        title: for tables.
        costly: whether it gets the small sizes of loads, and fewer rounds.
        command: (output, program and its arguments) -> the command line.
        count: (output, kind of call) -> calls of that kind in it.
        read: output -> its receives.
        waits: whether it waits for the program, so that the program's CPU time is counted as its child's.
        core: what must have written the tape; None: not sockreel.
    """

    name: str
    title: str
    costly: bool
    command: Callable[[Path, Command], Command]
    count: Callable[[Path, str], int] | None = None
    read: Callable[[Path], list[Record]] | None = None
    core: str | None = None
    waits: bool = True

    @property
    def records(self) -> bool:
        """Whether it records anything: the bare program does not."""
        return self.count is not None


def _bare(output: Path, program: Command) -> Command:
    return program


def _sockreel(core: str) -> Callable[[Path, Command], Command]:
    def command(output: Path, program: Command) -> Command:
        options = ("--quiet", "--force", "--core", core, "--python", program[0], "-o", output)
        return (sys.executable, "-m", "sockreel", "record", *options, *program[1:])

    return command


def _viztracer(output: Path, program: Command) -> Command:
    # It tells the format by the name.
    return (program[0], "-m", "viztracer", "--quiet", "-o", output, "--", *program[1:])


def _strace(output: Path, program: Command) -> Command:
    return ("strace", "-f", "-e", "trace=network", "-T", "-o", output, *program)


def _perf(output: Path, program: Command) -> Command:
    return (*_TRACEFS, "perf", "trace", "-o", output, "-e", ",".join(_SYSTEM_CALLS), "--", *program)


def _bpftrace(output: Path, program: Command) -> Command:
    # -c divides its text at blanks, and knows no quotes: a script of a name without any stands in.
    script, runner = output.with_suffix(".bt"), output.with_suffix(".sh")
    script.write_text(_BPFTRACE)
    runner.write_text(f"#!/bin/sh\nexec {shlex.join(map(str, program))}\n")
    return (*_TRACEFS, "bpftrace", "-o", output, "-c", f"/bin/sh {runner}", script)


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("bare", "bare", False, _bare),
        Tool("c", "sockreel, C core", False, _sockreel("c"), count_trace, read_trace, core="c"),
        Tool("python", "sockreel, Python core", False, _sockreel("python"), count_trace, read_trace, core="python"),
        Tool("viztracer", "viztracer", True, _viztracer, count_events, read_events),
        Tool("strace", "strace", True, _strace, count_lines, read_lines),
        Tool("perf", "perf trace", True, _perf, count_lines, read_lines, waits=False),
        Tool("bpftrace", "bpftrace", True, _bpftrace, count_lines, read_lines),
    )
}
COMMANDS_SHOWN: Mapping[str, str] = {
    "c": "`sockreel record --core c`",
    "python": "`sockreel record --core python`",
    "viztracer": "`viztracer`",
    "strace": "`strace -f -e trace=network -T`",
    "perf": f"`perf trace -e {','.join(_SYSTEM_CALLS)}`",
    "bpftrace": "a script that prints thread, call, fd, result and time of each of the same calls",
}
