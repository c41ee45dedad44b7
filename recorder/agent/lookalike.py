"""Objects that stand where C methods and functions stood and answer as they did.

Owns what a program can ask of a built-in: name, qualname, doc, signature, repr, pickle, kind. Knows
nothing of recording: the function that does the work is handed in.
"""

import functools
import os
import sys
import types

_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


def _doc(self):
    return self._original.__doc__


# Where a class here says `__doc__ = property(_doc)`, a docstring of its own would hide that of the original.


class _Answers:
    # Everything but calling is answered by `_original`.

    __slots__ = ()

    __name__ = property(lambda self: self._original.__name__)
    __text_signature__ = property(lambda self: self._original.__text_signature__)

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):  # __qualname__, __module__: a class body cannot define them as properties
            return getattr(self._original, name)
        raise AttributeError(name)

    def __repr__(self):
        return repr(self._original)

    def __reduce__(self):
        return self._original.__reduce__()

    def __reduce_ex__(self, protocol):
        return self._original.__reduce_ex__(protocol)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


class BoundMethod(_Answers, functools.partial):
    # `sock.recv`: a callable that binds in C and looks like a built-in method.

    __slots__ = ()
    __doc__ = property(_doc)
    __class__ = property(lambda self: types.BuiltinFunctionType)
    __self__ = property(lambda self: self.args[0])
    __module__ = property(lambda self: None)
    _original = property(lambda self: self.func.__wrapped__.__get__(self.args[0]))

    def __eq__(self, other):
        if type(other) is BoundMethod:
            return self.func is other.func and self.args[0] is other.args[0]
        return NotImplemented

    def __hash__(self):
        return hash((id(self.args[0]), id(self.func)))


class Function(_Answers):
    # `os.execve`: a callable that looks like a built-in function, and as such binds to nothing when it is an attribute of
    # a class. Each has a class of its own, which `stand_in` makes: so the interpreter calls what it does without a detour.

    __slots__ = ()
    __class__ = property(lambda self: types.BuiltinFunctionType)
    __self__ = property(lambda self: self._original.__self__)

    def __eq__(self, other):
        return self is other or other is self._original

    def __hash__(self):
        return hash(self._original)


class Method(_Answers):
    # `socket.socket.recv`: a descriptor that looks like a method descriptor. `hooked(sock, *args, **kw)` does the
    # work; `original` is the method descriptor it stands for.

    __slots__ = ("_hooked", "_original")
    __doc__ = property(_doc)
    __class__ = property(lambda self: types.MethodDescriptorType)
    __objclass__ = property(lambda self: self._original.__objclass__)

    def __init__(self, hooked, original):
        self._hooked = veil(hooked)
        self._original = original

    def __get__(self, sock, owner=None):
        if sock is None:
            return self
        return BoundMethod(self._hooked, sock)

    def __call__(self, *args, **kw):
        if not args or not isinstance(args[0], self._original.__objclass__):
            return self._original(*args, **kw)  # raises the TypeError that it always raised
        return self._hooked(*args, **kw)

    def __eq__(self, other):
        return self is other or other is self._original

    def __hash__(self):
        return hash(self._original)


def veil(hooked):
    """Return what a hook is called through: with the C core, tracebacks of the program show no frame of ours."""
    return hooked if _veil_type is None else _veil_type(hooked, _FOLDER)


def draw_veil(native):
    """Hide our frames from now on, where that can be done.

    Args:
        native: the module `_core`, or None.
    """
    global _veil_type
    _veil_type = native.Veil if native else None


_veil_type = None


def stand_in(hooked, original):
    """Return a callable that does what `hooked` does and looks like the built-in function `original`."""
    answers = {
        "__slots__": ("__weakref__",),
        "__call__": staticmethod(veil(hooked)),
        "__doc__": property(_doc),
        "__module__": property(lambda self: original.__module__),
        "_original": original,
    }
    return type("Function", (Function,), answers)()


def put_in_place(module, name, standing):
    """Set a function of a module, and of the built-in module it comes from: `os.read` stays `posix.read`, so it can be pickled.

    Args:
        module: that the program imports it from.
        name: of the function.
        standing: what `stand_in` returned.
    """
    original = getattr(module, name)
    source = sys.modules.get(original.__module__)
    setattr(module, name, standing)
    if source is not None and getattr(source, name, None) is original:
        setattr(source, name, standing)


def dress(hooked, original):
    """Make a Python function answer as the Python function it stands for.

    Args:
        hooked: function(sock, *args, **kw) that does the work.
        original: function; its signature, defaults and source stay visible.

    Returns:
        hooked.
    """
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(hooked, name, getattr(original, name))
    hooked.__dict__.update(original.__dict__)
    hooked.__wrapped__ = original
    return hooked
