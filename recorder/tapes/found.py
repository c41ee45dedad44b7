"""Files that are found in a folder of tapes, and may be anything: a program may write there, too, and a trace may name any folder.

Owns how such a file is opened and what the name of a tape is. Knows nothing of what stands in a file.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

# PID-SERIAL, as agents name their tapes. What has another name would reach out of the folder, or stand for several files.
TAPE_NAME = re.compile(r"\d{1,10}-[0-9a-f]{1,40}", re.ASCII)


def read_found(path: str | Path, most_bytes: int, folder: int | None = None) -> bytes:
    """Read a plain file, up to so many bytes; waits for nobody.

    Args:
        path: of the file; a symbolic link is not followed.
        most_bytes: what stands behind them is left out.
        folder: descriptor of the folder that the path starts in; None: the working directory.

    Raises:
        OSError: it cannot be read, or is a link, a pipe, a device.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a plain file", str(path))
        parts = []
        while most_bytes > 0 and (part := os.read(descriptor, most_bytes)):
            parts.append(part)
            most_bytes -= len(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)
