"""`sockreel import`: packets that were captured elsewhere, into a trace."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ._options import shown


@click.command("import")
@click.argument("capture", type=click.Path(path_type=Path), metavar="CAPTURE")
@click.option("--into", "reference", required=True, metavar="FILE[#RUN]", help="The trace, and the run if it holds several.")
@click.option("-f", "--force", is_flag=True, help="Replace packets that the run has already.")
@click.option("--json", "as_json", is_flag=True, help="Say what became of the packets as JSON.")
def command(capture: Path, reference: str, force: bool, as_json: bool) -> None:
    """Bring packets that were captured elsewhere into a trace.

    CAPTURE is a pcap or pcapng file, as tcpdump, dumpcap and Wireshark write it. The packets of
    the run's sockets are found by address and time, and joined to its calls.

    \b
    Example:
      sockreel import lecture.pcap --into lecture.db
      sockreel import lecture.pcapng --into lecture.db#nonblocking --force
    """
    from ..recorder.capture.importing import import_capture
    from ..traces import split_reference

    path, selector = split_reference(reference)
    done = import_capture(capture, path, selector, force)
    taken = done.taken
    if done.complaint is not None:
        print(f"sockreel: {done.complaint}", file=sys.stderr)
    if done.log_stays:
        print(f"sockreel: somebody is reading {shown(path)}: its newest part stays in {shown(path)}-wal", file=sys.stderr)
    if as_json:
        from ._options import put_json

        put_json({"run": done.run.id, "packets": taken.seen, "kept": taken.kept, "others": taken.others, "twice": taken.twice,
                  "unread": taken.unread + done.timeless, "unknown_links": taken.links, "calls_read": taken.read, "calls_sent": taken.sent,
                  "calls_timed": taken.timed, "streams_given_up": taken.lost_track, "complaint": done.complaint})  # fmt: skip
        return
    links = ", ".join(map(str, sorted(taken.links)[:5]))
    counts = {
        "of others": taken.others,
        "seen twice": taken.twice,
        "neither TCP nor UDP, or without a time": taken.unread + done.timeless,
        f"of link types that are not read ({links})": sum(taken.links.values()),
    }
    left = [f"{count:,} {what}" for what, count in counts.items() if count]
    print(f"{taken.kept:,} of {taken.seen:,} packets are in {shown(path)}#{done.run.name}" + (f" ({', '.join(left)})" if left else ""))
    print(f"{taken.sent:,} sends and {taken.read:,} receives have their packets, {taken.timed:,} calls know when their data was there")
    if taken.lost_track:
        print(f"{taken.lost_track:,} streams could not be followed to their end: packets are missing, or bytes that no recorded call moved")
