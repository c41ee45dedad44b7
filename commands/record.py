"""`sockreel record`: run a program and write what it does with its sockets into a trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._packets import isolate, packet_options, packets_said
from ._recording import base_settings, calls_said, default_output, payloads_said, recording_options, speaker

if TYPE_CHECKING:
    from ..recorder.settings import Result, Settings


class RecordCommand(click.Command):
    """Options come before the program; from its name (or `-m MODULE`) on, nothing is ours."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the command line apart where the program begins."""
        ours, module, rest = self._split(ctx, args)
        super().parse_args(ctx, [*ours, "--", *rest])
        ctx.params["module"] = module
        given = module is not None or bool(ctx.params["program"])
        if given and ctx.params.get("pid") is not None:
            raise click.UsageError("--pid names a program that runs already: give no other one", ctx)
        if not given and ctx.params.get("pid") is None and not ctx.resilient_parsing:
            raise click.UsageError("which program? Give a SCRIPT, -m MODULE or a COMMAND", ctx)
        return ctx.args

    def _split(self, ctx: click.Context, args: list[str]) -> tuple[list[str], str | None, list[str]]:
        valued = {
            name for option in self.get_params(ctx) if isinstance(option, click.Option) and not option.is_flag for name in option.opts
        }
        at = 0
        while at < len(args):
            word = args[at]
            if word == "--":
                return args[:at], *self._module(ctx, args[at + 1 :])
            if word == "-" or not word.startswith("-") or (word.startswith("-m") and not word.startswith("--")):
                return args[:at], *self._module(ctx, args[at:])
            at += 2 if word in valued else 1
        return args, None, []

    def _module(self, ctx: click.Context, rest: list[str]) -> tuple[str | None, list[str]]:
        if not rest or not rest[0].startswith("-m"):
            return None, rest
        if rest[0] != "-m":
            return rest[0][2:], rest[1:]
        if len(rest) < 2:
            raise click.UsageError("-m needs the name of a module", ctx)
        return rest[1], rest[2:]


@click.command(
    "record",
    cls=RecordCommand,
    context_settings={"allow_interspersed_args": False},
    options_metavar="[OPTIONS]",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="The trace.  [default: NAME-YYYYmmdd-HHMMSS.db]")
@click.option("--label", metavar="L", help="Name of the run: FILE#L in other commands.")
@click.option("--model", metavar="M", help="Which I/O model the program follows, for the headings.")
@click.option(
    "--for",
    "for_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="End the program after so long: SIGINT, 2 s later SIGTERM, 2 s later SIGKILL.",
)
@click.option("--max-calls", type=click.IntRange(min=1), metavar="N", help="End the program, in the same way, after so many calls.")
@recording_options
@click.option(
    "--workload",
    metavar="W",
    help="Clients to send once the program listens: the name of a shipped workload, or a TOML file. The run ends with them.",
)
@click.option("--allow-remote", is_flag=True, help="Let the workload's clients leave this machine.")
@click.option("--python", metavar="PATH", help="Interpreter for SCRIPT and -m.  [default: python, else python3 on PATH]")
@click.option("--pid", type=click.IntRange(min=1), metavar="PID", help="Say how to record a program that runs already.")
@click.option("--append", is_flag=True, help="Add a run to an existing trace.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option(
    "--core",
    type=click.Choice(["c", "python"]),
    envvar="SOCKREEL_CORE",
    help="What writes the tape inside the program.  [env: SOCKREEL_CORE; default: c, where it was built for that interpreter]",
)
@click.option(
    "--tape",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the tape grows.  [default: /dev/shm, and beside the trace when that is full]",
)
@packet_options
@click.argument("program", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT|-m MODULE|COMMAND [ARGS]...")
@click.pass_context
def command(ctx: click.Context, /, program: tuple[str, ...], **options: Any) -> None:
    """Run a program and record every socket call it makes.

    The program runs as it would without us: same arguments, environment, terminal and exit status.
    Its children are recorded too. Everything after its name belongs to it. A program that runs already
    cannot be recorded; --pid says why, and with which command to start it anew.

    \b
    Example:
      sockreel record server.py 8000
      sockreel record -o t.db --for 10 -m http.server 8000
      sockreel record -- python -m http.server 8000
      sockreel record --workload lecture server.py 127.0.0.1 0
      sockreel record --packets --isolate server.py 8000
      sockreel record --pid 4711
    """
    from ..recorder.launching import launch
    from ..recorder.session import record

    if options["pid"] is not None:
        from ..recorder.launching.attach import refuse

        raise refuse(options["pid"])
    if options["append"] and options["force"]:
        raise click.UsageError("--append and --force exclude each other", ctx)
    target = launch.resolve(program, ctx.params["module"], options["python"])
    output = options["output"] or default_output(target.name)
    settings = _settings(output, options)
    say = speaker(options["quiet"])
    if options["isolate"]:
        isolate(say)
    say(f"recording {' '.join(target.arguments)}")
    result = record(target, settings, say)
    for complaint in result.complaints:
        say(complaint)
    say(_last_line(result, output, options))
    ctx.exit(result.exit_status)


def _settings(output: Path, options: dict[str, Any]) -> Settings:
    """Return what the options ask for."""
    from ..recorder.workloads.workload import load_workload

    base = base_settings(output, options)
    return replace(
        base,
        existing="append" if options["append"] else base.existing,
        label=options["label"],
        model=options["model"],
        for_s=options["for_s"],
        max_calls=options["max_calls"],
        workload=load_workload(options["workload"]) if options["workload"] else None,
        tape=options["tape"],
        core=options["core"],
        allow_remote=options["allow_remote"],
    )


def _last_line(result: Result, output: Path, options: dict[str, Any]) -> str:
    """Return what is in the trace, and what to do next."""
    lost = f", {calls_said(result.lost)} not recorded" if result.lost else ""
    ended = f", ended by signal {result.exit_status - 128}" if result.ended_by == "signal" else ""
    reference = f"{output}#{options['label'] or result.run_id}" if options["append"] else str(output)
    payloads = f" ({payloads_said(options['payload'])})" if result.calls else ""
    told = f"{calls_said(result.calls)}{lost}{packets_said(result)}{ended} in {output}{payloads}"
    return f"{told}; next: sockreel show {reference}"
