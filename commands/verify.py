"""`sockreel verify`: record a program under strace as well, and compare the two accounts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._recording import speaker
from .record import RecordCommand

if TYPE_CHECKING:
    from ..recorder.settings import Result
    from ..recorder.verifying.verdict import Difference, Verdict
    from ..traces import Run

KINDS = {"not recorded": "made, not recorded", "not made": "recorded, never made", "changed": "recorded otherwise than made"}


@click.command("verify", cls=RecordCommand, context_settings={"allow_interspersed_args": False}, options_metavar="[OPTIONS]")
@click.option(
    "--for", "for_s", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End the program after so long, as record does."
)
@click.option("--workload", metavar="W", help="Clients to send once the program listens, as for record. The run ends with them.")
@click.option("--allow-remote", is_flag=True, help="Let the workload's clients leave this machine.")
@click.option("--python", metavar="PATH", help="Interpreter for SCRIPT and -m.  [default: python, else python3 on PATH]")
@click.option("--core", type=click.Choice(["c", "python"]), envvar="SOCKREEL_CORE", help="What writes the tape.  [env: SOCKREEL_CORE]")
@click.option(
    "--max-differences", type=click.IntRange(min=0), default=20, show_default=True, metavar="N", help="List no more differences than these."
)
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR", help="Keep both accounts there: trace.db and strace.txt.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")
@click.argument("program", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT|-m MODULE|COMMAND [ARGS]...")
@click.pass_context
def command(ctx: click.Context, /, program: tuple[str, ...], **options: Any) -> int:
    """Run a program once under the recorder and strace, and compare them.

    Every recorded call is put beside the system calls of the same thread: descriptor, operation,
    result, errno, order. What differs by nature (a timeout is poll and recv) is explained, from a
    closed list; whatever else differs is listed. Exit status 0: nothing is left unexplained; 1: something is.

    \b
    Example:
      sockreel verify --workload lecture server.py 127.0.0.1 0
      sockreel verify --for 5 -m http.server 8000
      sockreel verify --json client.py
    """
    import tempfile

    from ..recorder.launching import launch
    from ..recorder.settings import Settings
    from ..recorder.workloads.workload import load_workload

    target = launch.resolve(program, ctx.params["module"], options["python"])
    with tempfile.TemporaryDirectory(prefix="sockreel-verify-") as temporary:
        folder = _folder(options["keep"]) or Path(temporary)
        settings = Settings(
            output=folder / "trace.db",
            for_s=options["for_s"],
            payload_bytes=0,
            workload=load_workload(options["workload"]) if options["workload"] else None,
            core=options["core"],
            allow_remote=options["allow_remote"],
            gives_way=True,
        )
        return _verify(target, settings, folder / "strace.txt", options)


def _folder(keep: Path | None) -> Path | None:
    """Return the folder to keep both accounts in, made where it is missing."""
    from ..recorder.verifying.tracing import VerifyError

    if keep is None:
        return None
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VerifyError(f"{keep}: {error.strerror}") from error
    for name in ("trace.db", "strace.txt"):
        if (keep / name).exists():
            raise VerifyError(f"{keep / name} exists: name another folder to --keep")
    return keep


def _verify(target: Any, settings: Any, told_path: Path, options: dict[str, Any]) -> int:
    from ..recorder.session import record
    from ..recorder.verifying.tracing import record_traced
    from ..recorder.verifying.witness import compare_witnesses, start_epoch_ns
    from ..traces import open_trace

    say = speaker(options["quiet"])
    say(f"recording {' '.join(target.arguments)}, under strace")
    result = record_traced(record, target, settings, told_path, say)
    with open_trace(settings.output) as trace:
        run = trace.find_run(None)
        verdict = compare_witnesses(trace, run, told_path)
        sites = {row["id"]: f"{row['file']}:{row['line']}" for row in trace.named("words_of_sites")}
        view = _View(run, result, verdict, _shown(verdict, options["max_differences"]), sites, start_epoch_ns(trace, run), told_path)
    for complaint in result.complaints:
        say(complaint)
    if options["as_json"]:
        from ._screen import print_json

        print_json(view.as_object())
    else:
        view.show()
    if options["keep"]:
        say(f"both accounts are in {told_path.parent}; next: sockreel show {settings.output}")
    return 0 if verdict.total.recorded + verdict.total.made and not verdict.differences and not result.lost else 1


def _shown(verdict: Verdict, most: int) -> list[Difference]:
    return verdict.differences[:most]


class _View:
    """A verdict as text and as JSON."""

    def __init__(
        self, run: Run, result: Result, verdict: Verdict, shown: list[Difference], sites: dict[int, str], epoch_ns: int, told_path: Path
    ) -> None:
        from ..recorder.verifying.witness import lines_of

        self.run, self.result, self.verdict, self.shown, self.sites, self.epoch_ns = run, result, verdict, shown, sites, epoch_ns
        self.lines = lines_of(told_path, [shown.made.line for shown in shown if shown.made])

    def as_object(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        from dataclasses import asdict

        from ..recorder.verifying.verdict import fidelity_text

        verdict = self.verdict
        return {
            "fidelity": None if verdict.fidelity is None else fidelity_text(verdict),
            "exit_status": self.run.exit_status,
            "ended_by": self.run.ended_by,
            "calls_lost": self.result.lost,
            "operations": [{"operation": name, **asdict(tally)} for name, tally in sorted(verdict.tallies.items())],
            "total": asdict(verdict.total),
            "explained": dict(sorted(verdict.explained.items())),
            "unrecorded_processes": {str(process): calls for process, calls in sorted(verdict.unrecorded.items())},
            "differences": len(verdict.differences),
            "listed": [self._object(difference) for difference in self.shown],
            "complaints": [*self.result.complaints, *self._warnings()],
        }

    def _warnings(self) -> list[str]:
        """Return what a score does not speak of."""
        from ..replay.words import counted

        found = []
        if self.verdict.fidelity is None:
            found.append("nothing to compare: neither the recorder nor strace saw a call on a socket")
        rings = self.verdict.explained["ring"]
        if rings:
            found.append(f"{counted(rings, 'operation')} in an io_uring: no system calls, in no count; only the recorder saw them")
        return found

    def _object(self, difference: Difference) -> dict[str, Any]:
        recorded, made = difference.recorded, difference.made
        return {
            "kind": difference.kind,
            "at_ns": self._at(difference),
            "thread": recorded.thread if recorded else made.thread if made else None,
            "fd": recorded.fd if recorded else made.fd if made else None,
            "operation": recorded.operation if recorded else None,
            "call": recorded.id if recorded else None,
            "site": self.sites.get(recorded.site) if recorded and recorded.site is not None else None,
            "strace": self.lines.get(made.line) if made else None,
            "says": difference.says,
        }

    def _at(self, difference: Difference) -> int:
        recorded, made = difference.recorded, difference.made
        return recorded.started_ns if recorded else made.at_ns - self.epoch_ns if made else 0

    def show(self) -> None:
        """Print it."""
        from ..recorder.verifying.verdict import fidelity_text
        from ..replay.words import counted
        from ._screen import line
        from .runs import short_command

        total = self.verdict.total
        line(f"{short_command(self.run)}: {counted(total.recorded, 'call')} recorded, {total.made:,} made", "bold")
        if not total.recorded + total.made:
            for warning in self._warnings():
                line(warning, "yellow")
            return
        line()
        self._show_table()
        self._show_explained()
        self._show_differences()
        line()
        good = not self.verdict.differences and not self.result.lost
        if self.result.lost:
            line(f"lost        {counted(self.result.lost, 'call')} could not be recorded, and the trace says so", "red")
        unexplained = "nothing unexplained" if good else counted(len(self.verdict.differences), "difference")
        line(f"fidelity    {fidelity_text(self.verdict)}, {unexplained}", "bold green" if good else "bold red")
        for warning in self._warnings():
            line(f"but         {warning}", "yellow")

    def _show_table(self) -> None:
        from ._table import Column, print_table

        names = ("recorded", "made", "matched", "explained", "different")
        columns = [Column("operation"), *(Column(name, right=True) for name in names)]

        def cells(name: str, tally: Any) -> list[str]:
            return [name, *(f"{getattr(tally, column):,}" if getattr(tally, column) else "-" for column in names)]

        rows = sorted(self.verdict.tallies.items(), key=lambda row: (-row[1].recorded, -row[1].made, row[0]))
        print_table(columns, [cells(*row) for row in rows], footer=cells("all", self.verdict.total))

    def _show_explained(self) -> None:
        from ..recorder.verifying.explanations import EXPLANATIONS
        from ._screen import line

        for counts, title in ((True, "explained"), (False, "set aside, in no count")):
            found = [(name, self.verdict.explained[name]) for name in EXPLANATIONS if EXPLANATIONS[name].counts == counts]
            found = [(name, calls) for name, calls in found if calls]
            if found:
                line()
                line(title, "bold")
            for name, calls in found:
                line(f"  {calls:>7,}  {name}: {EXPLANATIONS[name].says}")
        for process, calls in sorted(self.verdict.unrecorded.items()):
            line(f"           process {process} made {calls:,} of them")

    def _show_differences(self) -> None:
        from ..replay.words import visible
        from ._screen import line

        if not self.verdict.differences:
            return
        line()
        line("differences", "bold")
        for difference in self.shown:
            told = self._object(difference)
            fd = f" on fd {told['fd']}" if told["fd"] is not None and told["fd"] >= 0 else ""
            made = difference.made
            name = told["operation"] or (made.name if made else "")
            line(f"  {told['at_ns'] / 1e9:10.6f} s  thread {told['thread']}  {name}{fd}: {KINDS[difference.kind]}", "red")
            line(f"                {visible(difference.says)}")
            if told["site"]:
                line(f"                at {visible(told['site'])}")
            if told["strace"]:
                line(f"                strace: {visible(told['strace'])[:200]}")
        left = len(self.verdict.differences) - len(self.shown)
        if left:
            line(f"  and {left:,} more: --max-differences {len(self.verdict.differences)} lists all")
