"""A trace -> something to look at, step through.

Owns the story, the comparison and the renderers. Knows `traces`, never `recorder`.
"""
