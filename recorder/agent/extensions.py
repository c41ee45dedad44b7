"""C extensions that the program loads from outside the standard library: noted, for what they do in C passes us by.

Owns the one door through which they are loaded (`_imp.exec_dynamic`), and what is hooked once one is
there. Imports none of them. A library that `ctypes` or `cffi` opens does not come through here: the
recorder sees it among the process' maps.
"""

import _imp
import os
import sys

from . import layout
from .lookalike import stand_in
from .raised import pass_on

_LIBRARY = os.path.join(os.path.dirname(os.path.abspath(os.__file__)), "lib-dynload") + os.sep
_MODULE = type(sys)


class Extensions:
    """What was noted, and what is to be done.

    Args:
        recorder: on whose tape it is noted.
        installs: name of an extension module -> function(module), called once that has run.
    """

    def __init__(self, recorder, installs):
        self.recorder = recorder
        self.installs = installs
        self.noted = set()

    def met(self, module):
        """Take in a module that has been loaded."""
        name = module.__name__
        file = getattr(module, "__file__", None)
        if not file or file.startswith(_LIBRARY) or name in self.noted:
            return
        self.noted.add(name)
        self.recorder.tape.note(layout.NOTE_EXTENSION, 0, name)
        install = self.installs.pop(name, None)
        if install is not None:
            install(module)


def _hook_exec(extensions, original):
    def exec_dynamic(*args, **kw):
        result = original(*args, **kw)
        try:
            extensions.met(args[0])
        except Exception as error:
            pass_on(error)
        return result

    return exec_dynamic


def install(recorder, installs):
    """Watch the door, and take in what was loaded before us (by a .pth file).

    Args:
        recorder, installs: as of Extensions.
    """
    extensions = Extensions(recorder, installs)
    for module in list(sys.modules.values()):
        if isinstance(module, _MODULE) and str(module.__dict__.get("__file__") or "").endswith(".so"):
            extensions.met(module)
    _imp.exec_dynamic = stand_in(_hook_exec(extensions, _imp.exec_dynamic), _imp.exec_dynamic)
