"""Brings Mermaid itself, from npm, for the tests that have it read our sequence diagrams.

Owns which version, and where it lies: in the environment's own folder, beside nothing of ours. Never fails: without npm
or without a registry those tests skip and say so. Uses the standard library only.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "11.16.0"
SHA256 = "74d7c46dabca328c2294733910a8aa1ed0c37451776e8d5295da38a2b758fb9b"
MERMAID = Path(sys.prefix) / "share" / "sockreel-tests" / f"mermaid-{VERSION}.min.js"
_MEMBER = "package/dist/mermaid.min.js"
_PATIENCE_S = 180


def main() -> int:
    """Bring it if it is not there. Returns 0."""
    if MERMAID.exists():
        return 0
    reason = _bring()
    if reason:
        print(f"tests that need Mermaid will skip ({reason})", file=sys.stderr)
    return 0


def _bring() -> str:
    """Return why it did not work, or an empty string."""
    npm = shutil.which("npm")
    if npm is None:
        return "no npm here"
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--pack-destination", folder, f"mermaid@{VERSION}"]
        try:
            done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"npm: {error}"
        packed = sorted(Path(folder).glob("*.tgz"))
        if done.returncode or not packed:
            return f"npm ended with {done.returncode}"
        with tarfile.open(packed[0]) as archive:
            member = archive.extractfile(_MEMBER)
            script = member.read() if member else b""
    if hashlib.sha256(script).hexdigest() != SHA256:
        return "npm brought something else"
    MERMAID.parent.mkdir(parents=True, exist_ok=True)
    MERMAID.write_bytes(script)
    return ""


if __name__ == "__main__":
    sys.exit(main())
