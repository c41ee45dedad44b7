"""sockreel: records what a Python server really does with its sockets, and plays it back."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
