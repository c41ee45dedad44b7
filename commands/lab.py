"""`sockreel lab`: the I/O models under one workload, recorded and compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._packets import isolate, packet_options, packets_said
from ._recording import base_settings, calls_said, default_output, payloads_said, recording_options, speaker

if TYPE_CHECKING:
    from ..recorder.models import Server
    from ..recorder.settings import Settings
    from ..recorder.workloads.workload import Workload


@click.command("lab")
@click.option("--models", metavar="LIST", help="Which servers, separated by commas; `list` names them.  [default: all]")
@click.option(
    "--workload",
    default="lecture",
    show_default=True,
    metavar="W",
    help="What the clients do: a shipped workload, or a TOML file.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="The trace.  [default: lab-YYYYmmdd-HHMMSS.db]")
@recording_options
@packet_options
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page of the runs, too.")
@click.option("-q", "--quiet", is_flag=True, help="Print the comparison only.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Run the I/O models one after the other under the same clients, and compare what they did.

    Each server is a plain script of a page (sockreel/recorder/servers) that knows nothing of
    sockreel; the clients do the same to each of them; the runs go into one trace.

    \b
    Example:
      sockreel lab
      sockreel lab --models list
      sockreel lab --html lab.html
      sockreel lab --models blocking,nonblocking --workload burst -o lab.db
    """
    from ..recorder.models import SERVERS, able, choose
    from ..recorder.workloads.workload import load_workload
    from .compare import print_comparison, write_page

    say = speaker(options["quiet"])
    if options["models"] == "list":
        for server in SERVERS.values():
            print(f"{server.name:<18}{server.model:<15}{server.says}")
        return
    servers = able(choose(options["models"]), say)
    workload = load_workload(options["workload"])
    trace = options["output"] or default_output("lab")
    base = base_settings(trace, options)
    if options["isolate"]:
        isolate(say)
    failed = _run(servers, workload, base, say)
    references = [f"{trace}#{server.name}" for server in servers]
    if options["html"] is not None:
        write_page(options["html"], references, options["force"], payload=base.payload_bytes > 0)
    print_comparison(ctx, references)
    say(f"the runs are in {trace} ({payloads_said(base.payload_bytes)}); next: sockreel show {references[0]}")
    if failed:
        ctx.exit(1)


def _run(servers: Sequence[Server], workload: Workload, base: Settings, say: Callable[[str], None]) -> bool:
    """Run one server after the other, and tell of each; return whether anything went wrong."""
    from ..recorder.models import run_lab

    say(f"{workload.clients} clients ({workload.name}) will talk to each of: {', '.join(server.name for server in servers)}")
    failed = False
    for server, result in run_lab(servers, workload, base, say):
        say(f"{server.name} ({server.says}): {calls_said(result.calls)}{packets_said(result)} recorded")
        for complaint in result.complaints:
            failed = True
            say(f"{server.name}: {complaint}")
    return failed
