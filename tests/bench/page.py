"""How long the page takes with many calls: one file of them, and a trace that is served.

Owns these measurements; nothing is judged. Each trace is recorded first, as a user would.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from ..browser import Browser, chromium
from .execution import PROGRAMS

# Two steps in and out about the middle, then far in: what somebody does who looks around.
_ZOOMS = """(async () => {
  const took = [];
  for (const factor of [0.4, 0.4, 0.4, 0.4, 1.9, 1.9, 0.2, 0.2, 1.9, 1.9, 1.9, 1.9]) {
    const begun = performance.now();
    State.zoom(factor);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    took.push(performance.now() - begun);
  }
  return took;
})()"""
_SUFFICES = "State.runs.every((run) => Remote.suffices(run))"


def record(calls: int, folder: Path) -> Path:
    """Record a loop of fruitless receives, and return the trace."""
    trace = folder / f"{calls}.db"
    subprocess.run([sys.executable, "-m", "sockreel", "record", "--quiet", "--python", sys.executable, "-o", str(trace),
                    str(PROGRAMS / "load.py"), "recv", str(calls)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return trace


def measure_file(trace: Path, folder: Path, openings: int) -> dict[str, Any]:
    """Export a trace as one page, and open it.

    Returns:
        page_bytes, export_s, ready_s (of each opening, the first in a browser that has just started), zoom_median_ms, zoom_worst_ms.
    """
    page = folder / "page.html"
    begun_s = time.perf_counter()
    command = [sys.executable, "-m", "sockreel", "export", str(trace), "-o", str(page)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    exported_s = time.perf_counter() - begun_s
    with Browser(folder / "profile") as browser:
        browser.resize(1400, 800)
        ready = [_opened_s(browser, page.as_uri()) for _ in range(openings)]
        zooms = browser.run(_ZOOMS)
    return {"page_bytes": page.stat().st_size, "export_s": round(exported_s, 2), "ready_s": ready,
            "zoom_median_ms": round(statistics.median(zooms)), "zoom_worst_ms": round(max(zooms))}


def measure_served(trace: Path, folder: Path, openings: int) -> dict[str, Any]:
    """Serve a trace, open it, and look at ever narrower windows of it.

    Returns:
        first_view_s (of each opening; the server remembers after the first), windows: [width ms, seconds until it is drawn], the
        last of them a window that was seen before.
    """
    command = [sys.executable, "-m", "sockreel", "serve", str(trace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            with Browser(folder / "profile-served") as browser:
                browser.resize(1400, 800)
                views = [_opened_s(browser, address) for _ in range(openings)]
                windows = [_window(browser, share) for share in (1 / 9, 1 / 80, 1 / 300, 1 / 2_000, 1 / 20_000, 1 / 9)]
        finally:
            server.send_signal(signal.SIGINT)
    return {"first_view_s": views, "windows": windows}


def _opened_s(browser: Browser, address: str) -> float:
    begun_s = time.perf_counter()
    browser.open(address)
    return round(time.perf_counter() - begun_s, 2)


def _window(browser: Browser, share: float) -> list[float]:
    """Show a part of the run that begins past its middle; return its width, ms, and the seconds until all of it is there."""
    first, last = browser.run("[State.first, State.last]")
    start = first + 0.61 * (last - first)
    begun_s = time.perf_counter()
    browser.run(f"State.show({start}, {start + share * (last - first)}); 1")
    browser.until(_SUFFICES)
    return [round(share * (last - first) / 1e6, 1), round(time.perf_counter() - begun_s, 2)]


def report(results: dict[str, Any]) -> str:
    """Return results as lines to read."""
    file, served = results["file"], results["served"]
    windows = "\n".join(f"  a window of {width:,} ms: {took_s} s" for width, took_s in served["windows"])
    return (
        f"one file of {file['calls']:,} calls: {file['page_bytes'] / 1e6:.1f} MB, exported in {file['export_s']} s\n"
        f"  ready in {file['ready_s'][0]} s at first, then {', '.join(map(str, file['ready_s'][1:])) or '–'}\n"
        f"  a zoom takes {file['zoom_median_ms']} ms, at most {file['zoom_worst_ms']} ms\n"
        f"{served['calls']:,} calls served\n"
        f"  first view after {served['first_view_s'][0]} s, then {', '.join(map(str, served['first_view_s'][1:])) or '–'}\n{windows}")


def measure(file_calls: int, served_calls: int, openings: int) -> dict[str, Any]:
    """Return what was measured: file and served, each with its number of calls."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = measure_file(record(file_calls, folder), folder, openings)
        served = measure_served(record(served_calls, folder), folder, openings)
    return {"file": {"calls": file_calls, **file}, "served": {"calls": served_calls, **served}}


@click.command()
@click.option("--calls", type=click.IntRange(100), default=1_000_000, show_default=True, help="In the page that is one file.")
@click.option("--served", type=click.IntRange(100), default=10_000_000, show_default=True, help="In the trace that is served.")
@click.option("--openings", type=click.IntRange(1), default=4, show_default=True, help="How often each is opened.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(calls: int, served: int, openings: int, as_json: bool) -> None:
    """Record, export, serve, open in Chromium: how long until the page is ready, a zoom drawn, a window there.

    \b
    Example:
      python -m sockreel.tests.bench.page                    # about two minutes
      python -m sockreel.tests.bench.page --calls 100000 --served 1000000
    """
    if chromium() is None:
        raise click.ClickException("this needs Chromium: apt-get install chromium")
    try:
        results = measure(calls, served, openings)
    except subprocess.CalledProcessError as error:
        raise click.ClickException(f"{' '.join(error.cmd[1:5])} ended with {error.returncode}") from error
    click.echo(json.dumps(results) if as_json else report(results))


if __name__ == "__main__":
    main()
