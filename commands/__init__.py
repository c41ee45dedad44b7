"""One file per command of the front door: reads its options, calls the rooms, prints.

Owns command names, options and help. May import every room; no room imports it.
"""
