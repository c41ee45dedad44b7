"""Tapes -> rows, while the program runs."""
