"""Record the samples that come with sockreel anew, each into a file of its own in traces/samples.

    python tools/samples.py                          # all of them, about a minute
    python tools/samples.py blocking io_uring-reset  # these
    python tools/samples.py --to elsewhere           # leave those that are there as they are

Each is one run of a teaching server under a shipped workload, in a network of its own, with kernel times, packets and
folding. It needs what `record --packets --isolate` needs: root, or namespaces for users (`sockreel doctor`). The scripts are
recorded from their own folder, so that the command line is `python nonblocking.py 127.0.0.1 0`; names of folders and of the
machine are then taken out (traces/shipping.py). Nothing measured is changed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sockreel.errors import SockreelError
from sockreel.recorder.launching.isolation import enter
from sockreel.recorder.launching.launch import Command
from sockreel.recorder.models import SERVERS, why_not
from sockreel.recorder.session import Settings, record
from sockreel.recorder.workloads.workload import load_workload
from sockreel.traces import open_trace
from sockreel.traces.checking import check_trace
from sockreel.traces.shipping import make_shippable
from sockreel.traces.store import SAMPLES

WORKLOADS = {"": "lecture", "-reset": "reset"}
"""What a sample's name ends in, and the workload of its run."""
LARGEST_BYTES = 300_000
TRIES = 3
"""On a busy machine a server that never waits is interrupted often, and each interruption ends a fold: the file grows."""


class SampleError(SockreelError):
    """A recording that is not fit to be a sample."""


@dataclass(frozen=True)
class Sample:
    """What one sample is a recording of.

    Args:
        name: of the sample, and label of its run.
        script: the server.
        model: the I/O model that it follows; None: that is the question.
        workload: of its clients.
    """

    name: str
    script: Path
    model: str | None
    workload: str


def samples() -> dict[str, Sample]:
    """Return every sample there is, by name."""
    found = [Sample(server.name + ending, server.script, server.model, workload)
             for ending, workload in WORKLOADS.items() for server in SERVERS.values()]
    tutorial = SERVERS["blocking"].script.parent.parent / "experiments" / "tutorial.py"
    found += [Sample(f"tutorial{ending}", tutorial, None, workload) for ending, workload in WORKLOADS.items()]
    return {sample.name: sample for sample in found}


def make(sample: Sample, to: Path, most_bytes: int = LARGEST_BYTES) -> int:
    """Record one sample, again where it came out too large.

    Args:
        to: the folder that gets it, in the place of what it had.
        most_bytes: that it may have.

    Returns:
        Its size, in bytes.

    Raises:
        SockreelError: it could not be recorded, or is not fit.
    """
    with tempfile.TemporaryDirectory(prefix="sockreel-samples-") as folder:
        path = Path(folder) / f"{sample.name}.db"
        for _ in range(TRIES):
            _record(sample, path)
            if path.stat().st_size <= most_bytes:
                (to / path.name).write_bytes(path.read_bytes())
                return path.stat().st_size
        raise SampleError(f"{sample.name} has {path.stat().st_size:,} bytes, more than {most_bytes:,}: is this machine busy?")


def _record(sample: Sample, path: Path) -> None:
    """Record one run into a file, and make it neutral.

    Raises:
        SockreelError: it could not be recorded, or not all of it was.
    """
    complaints: list[str] = []
    settings = Settings(output=path, existing="replace", label=sample.name, model=sample.model, workload=load_workload(sample.workload),
                        silent=True, fold=True, kernel_times=True, packets=True, gives_way=True)
    before = os.getcwd()
    os.chdir(sample.script.parent)
    try:
        result = record(Command(("python", sample.script.name, "127.0.0.1", "0"), sample.name), settings, complaints.append)
    finally:
        os.chdir(before)
    complaints += result.complaints
    if result.packets_lost:
        complaints.append(f"{result.packets_lost:,} packets were lost")
    make_shippable(path, sample.script.parent)
    with open_trace(path) as trace:
        complaints += [finding.text for finding in check_trace(trace).findings]
    if complaints:
        raise SampleError(f"{sample.name} is not fit to be a sample: {'; '.join(complaints)}")


def main(arguments: list[str]) -> int:
    """Record the samples that are named, or all."""
    known = samples()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--to", type=Path, default=SAMPLES, metavar="FOLDER", help="default: traces/samples")
    parser.add_argument("--any-size", action="store_true", help="keep what this machine makes, however large")
    asked = parser.parse_args(arguments)
    unknown = [name for name in asked.names if name not in known]
    if unknown:
        parser.error(f"there is no sample {unknown[0]}; there are {', '.join(known)}")
    # What `python` means in the recorded command lines: the interpreter that our core was built for.
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    most_bytes = sys.maxsize if asked.any_size else LARGEST_BYTES
    asked.to.mkdir(exist_ok=True)
    try:
        reason = why_not(SERVERS["io_uring"])
        if reason is not None and any("io_uring" in name for name in asked.names or known):
            raise SampleError(f"this machine cannot run io_uring ({reason}): name the other samples")
        enter()
        for name in asked.names or known:
            print(f"{name:<24} {make(known[name], asked.to, most_bytes):>9,} bytes", flush=True)
    except SockreelError as error:
        print(f"samples: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
