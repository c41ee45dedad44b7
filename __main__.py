"""`python -m sockreel`, and what the console script calls."""

from __future__ import annotations

import sys

from .cli import run


def main() -> None:
    """Run the command line and exit with its status."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
