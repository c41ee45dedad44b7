"""Installs the programs that tests run beside sockreel, and the letters they look at, where that can be done without asking.

Owns their list. Never fails: a test whose program is missing skips and says so. Uses the standard
library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PACKAGES = {"strace": "strace", "curl": "curl", "nc": "netcat-openbsd", "sqlite3": "sqlite3", "tmux": "tmux"}
PACKAGES |= {"tshark": "tshark", "tcpdump": "tcpdump"}
PACKAGES["chromium"] = "chromium"  # opens the timeline page
PACKAGES["redis-server"] = "redis-server"
PACKAGES["fc-list"] = "fontconfig"
CHINESE_FONT = "fonts-wqy-microhei"  # pages in Chinese are looked at


def main() -> int:
    """Install what is missing when root on Debian; otherwise say what is missing. Returns 0."""
    missing = _missing()
    if not missing:
        return 0
    reason = "not root" if os.geteuid() != 0 else "" if shutil.which("apt-get") else "no apt-get here"
    if not reason:
        print(f"installing {', '.join(missing)}", file=sys.stderr)
        reason = _install(list(missing.values()))
    still = _missing()
    if still:
        print(f"tests that need {', '.join(still)} will skip ({reason or 'not found after installing'})", file=sys.stderr)
    return 0


def _missing() -> dict[str, str]:
    """Return what is not there, and the package that brings it."""
    missing = {program: package for program, package in PACKAGES.items() if not shutil.which(program)}
    if not has_chinese_font():
        missing["a Chinese font"] = CHINESE_FONT
    return missing


def has_chinese_font() -> bool:
    """Return whether a browser here has letters for Chinese."""
    if not shutil.which("fc-list"):
        return False
    return bool(subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, check=False).stdout.strip())


def _install(packages: list[str]) -> str:
    """Return why it did not work, or an empty string."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", *command], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode and command[0] == "install":
            said = [line for line in done.stderr.splitlines() if line.strip()]
            return said[-1] if said else f"apt-get ended with {done.returncode}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
