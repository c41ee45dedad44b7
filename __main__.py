"""`python -m sockreel`, and what the console script calls."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its status."""
    from .cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    # `python -m` puts the current directory first on the path: a select.py of the program's would be ours, too.
    try:
        if sys.path[:1] == [os.getcwd()]:
            del sys.path[0]
    except OSError:
        pass  # the directory has gone: nothing is found in it
    main()
