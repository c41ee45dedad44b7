"""Set a method on a type that refuses it: built-in types before Python 3.9.

Owns that one way, through the type's own dictionary and PyType_Modified. Knows nothing of recording.
"""

import _ctypes
import gc


class _Object(_ctypes._SimpleCData):
    _type_ = "O"


class _Python:
    _handle = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]


class _TypeModified(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI
    _restype_ = None
    _argtypes_ = (_Object,)


def set_on_sealed_type(cls, name, value):
    """Set an attribute of a type that is sealed, and let the interpreter forget what it had looked up.

    Args:
        cls: a type whose `__dict__` is a view of an ordinary dictionary.
        name, value: of the attribute.
    """
    (namespace,) = [held for held in gc.get_referents(cls.__dict__) if isinstance(held, dict)]
    namespace[name] = value
    _TypeModified(("PyType_Modified", _Python()))(cls)
