"""Which code is the agent's own: the name that all of its code objects begin with.

In a program that is no path (apart.py gives it); where a test imports a module by itself it is the folder.
"""

import sys

_OURSELVES = "whereabouts.py"


def _prefix(name):
    """Return what the name of this file's code begins with, up to the file itself."""
    return name[: name.rindex(_OURSELVES)]


AGENT = _prefix(sys._getframe().f_code.co_filename)
