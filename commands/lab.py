"""`sockreel lab`: the I/O models under one workload, recorded and compared."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ._options import SIZE
from ._packets import isolate as isolated
from ._packets import packet_options, packets_said
from .record import default_output


@click.command("lab")
@click.option("--models", metavar="LIST", help="Which servers, separated by commas; `list` names them.  [default: all]")
@click.option(
    "--workload",
    "workload_name",
    default="lecture",
    show_default=True,
    metavar="W",
    help="What the clients do: a shipped workload, or a TOML file.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="The trace.  [default: lab-YYYYmmdd-HHMMSS.db]")
@click.option("-f", "--force", is_flag=True, help="Write over an existing file.")
@click.option(
    "--payload",
    type=click.IntRange(0, 16 << 20),
    default=256,
    show_default=True,
    metavar="BYTES",
    help="Keep the first BYTES of what each call moved.",
)
@click.option("--kernel-times", is_flag=True, help="Ask the kernel when what a receive returned had arrived: as for record.")
@click.option("--fold", is_flag=True, help="Count the calls of long spins instead of keeping each: as for record.")
@click.option(
    "--max-size",
    type=SIZE,
    default="2G",
    show_default=True,
    metavar="SIZE",
    help="From this size of the trace on, fold: bytes, or with K, M, G.",
)
@packet_options
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page of the runs, too.")
@click.option("-q", "--quiet", is_flag=True, help="Print the comparison only.")
@click.pass_context
def command(
    ctx: click.Context,
    models: str | None,
    workload_name: str,
    output: Path | None,
    force: bool,
    payload: int,
    kernel_times: bool,
    fold: bool,
    max_size: int,
    packets: bool,
    packet_buffer: int,
    isolate: bool,
    html: Path | None,
    quiet: bool,
) -> None:
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
    from ..recorder.models import SERVERS, able, choose, run_lab
    from ..recorder.session import Settings
    from ..recorder.workloads.workload import load_workload
    from .compare import print_comparison, write_page

    def say(line: str) -> None:
        if not quiet:
            print(f"sockreel: {line}", file=sys.stderr, flush=True)

    if models == "list":
        for server in SERVERS.values():
            print(f"{server.name:<18}{server.model:<15}{server.says}")
        return
    servers = able(choose(models), say)
    workload = load_workload(workload_name)
    trace = output or default_output("lab")
    base = Settings(output=trace, existing="replace" if force else "refuse", payload_bytes=payload, fold=fold, max_size_bytes=max_size,
                    kernel_times=kernel_times,
                    packets=packets, packet_ring_bytes=packet_buffer)  # fmt: skip
    if isolate:
        isolated(say)
    say(f"{workload.clients} clients ({workload.name}) will talk to each of: {', '.join(server.name for server in servers)}")
    failed = False
    for server, result in run_lab(servers, workload, base, say):
        say(f"{server.name} ({server.says}): {result.calls:,} calls{packets_said(result)} recorded")
        for complaint in result.complaints:
            failed = True
            say(f"{server.name}: {complaint}")
    references = [f"{trace}#{server.name}" for server in servers]
    if html is not None:
        write_page(html, references, force, payload=payload > 0)
    print_comparison(ctx, references)
    payloads = f"the first {payload} bytes of payloads are in it" if payload else "no payloads in it"
    say(f"the runs are in {trace} ({payloads}); next: sockreel show {trace}#{servers[0].name}")
    if failed:
        ctx.exit(1)
