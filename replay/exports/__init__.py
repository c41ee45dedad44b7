"""A story, or the rows it was made of, in formats of other programs.

One file per format; each writes excerpts of traces to an open binary file. commands/_formats.py
lists them. Knows `traces` and the values of `replay`, never a command.
"""
