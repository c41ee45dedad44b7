"""A trace whose names are markup and escape codes, for sheets that must not obey them."""

from __future__ import annotations

from pathlib import Path

from sockreel.tests.synthetic import MS, Recording

HOSTILE = "<script>alert(1)</script>\x1b[31m`**_|[x](y)"


def hostile(path: str | Path) -> None:
    """Make a trace in which three clients are served in turn, all names being hostile."""
    with Recording(path) as recording:
        run = recording.run(HOSTILE)
        thread = run.thread(HOSTILE)
        listener = run.socket(3, "listener", local=HOSTILE)
        for number in range(3):
            client = run.socket(4 + number, peer=f"{HOSTILE}{number}", parent_id=listener, opened_ns=10 * MS)
            site = (f"/srv/{HOSTILE}.py", 7 + number, HOSTILE, f"recv({number}) <script>alert(1)</script> ``` **x**")
            run.call(thread, "recv", client, at_ns=(20 + number * 40) * MS, duration_ns=30 * MS, asked=9, payload=b"hello", site=site)
            run.exchange(f"{number}<img src=x onerror=alert(1)>", 1, client, connected_ns=9 * MS, sent_ns=(40 + number * 40) * MS,
                         answered_ns=(60 + number * 40) * MS, sent_bytes=5)
        run.finish(200 * MS)
