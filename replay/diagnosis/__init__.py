"""What is wrong with a server, found in its calls: rules, each with the calls that prove it.

Owns the rules and the order in which they are told. Reads through the trace given, draws nothing.
"""

from __future__ import annotations

from .finding import Diagnosis, Finding
from .rules import RULES, diagnose

__all__ = ["RULES", "Diagnosis", "Finding", "diagnose"]
