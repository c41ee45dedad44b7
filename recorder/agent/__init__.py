"""What runs inside the recorded program: standard library only, from Python 3.8 on.

In the program it is loaded by file path under the private name `_sockreel_agent`; it imports
nothing of sockreel. The recorder shares `layout` with it, and nothing else.
"""
