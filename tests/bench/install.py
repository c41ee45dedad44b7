"""Installs the tools that sockreel is compared with, where that can be done without asking.

Owns their list. What cannot be had stays missing: the trial of each tool then says so in the table.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys

# Executable -> packages that hold it, on Debian and on Ubuntu.
_PACKAGES = {"strace": ("strace",), "perf": ("linux-perf", "linux-tools-generic"), "bpftrace": ("bpftrace",)}


def install() -> None:
    """Install viztracer into this environment, and the others by apt when root."""
    if importlib.util.find_spec("viztracer") is None:
        _run(sys.executable, "-m", "pip", "install", "--quiet", "viztracer")
    missing = [program for program in _PACKAGES if not shutil.which(program)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        _run("apt-get", "update", "-q")
        for program in missing:
            # One at a time: a package that is not there would keep the others away.
            any(_run("apt-get", "install", "-q", "-y", "--no-install-recommends", package) for package in _PACKAGES[program])


def _run(*command: str) -> bool:
    print(f"installing: {' '.join(command)}", file=sys.stderr)
    done = subprocess.run(
        command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        print(f"  that failed: {said[-1] if said else done.returncode}", file=sys.stderr)
    return done.returncode == 0
