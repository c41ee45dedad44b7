"""Calls counted as they come: summaries, levels, and folds of long spins."""
