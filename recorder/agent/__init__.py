"""What runs inside the recorded program: standard library only, from Python 3.8 on.

In the program it is loaded by file path as `_sockreel_agent`, a name that is not in `sys.modules` (apart.py);
it imports nothing of sockreel. The recorder shares `layout` with it, and nothing else.
"""
