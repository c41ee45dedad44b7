"""Objects that stand where C methods and functions stood and answer as they did.

Owns what a program can ask of a built-in: name, qualname, doc, signature, repr, pickle, kind. Knows
nothing of recording: the function that does the work is handed in.
"""

import _functools  # type: ignore[import-not-found]  # not `functools`
import sys

from .whereabouts import AGENT

_partial = _functools.partial
_func, _args = _partial.func.__get__, _partial.args.__get__
_originals: dict = {}  # id of what a BoundMethod calls -> the method it stands for; both live as long as the program


class _Answers:
    # Everything but calling and binding is answered by the original, found by `_original_of`. The classes below bear the
    # names of the built-in types, since messages of the interpreter name them: "'method_descriptor' object is not iterable".

    __slots__ = ()

    def __getattribute__(self, name):
        if name in _OURS:
            return object.__getattribute__(self, name)
        return getattr(_original_of(self), name)

    def __setattr__(self, name, value):
        setattr(_original_of(self), name, value)

    def __delattr__(self, name):
        delattr(_original_of(self), name)

    def __dir__(self):
        return dir(_original_of(self))

    def __repr__(self):
        return repr(_original_of(self))

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __eq__(self, other):
        return self is other or other is _original_of(self)

    def __hash__(self):
        return hash(_original_of(self))


_OURS = frozenset(("__call__", "__deepcopy__"))


def _original_of(standing):
    kind = type(standing)
    if kind is BoundMethod:
        func = _func(standing)
        original = _originals.get(id(func)) or type(func)._original.__get__(func)
        return original.__get__(_args(standing)[0])
    return kind._original


def _named(kind, name):
    kind.__name__ = kind.__qualname__ = name
    kind.__module__ = "builtins"


class BoundMethod(_Answers, _partial):  # type: ignore[misc, valid-type]
    # `sock.recv`: a callable that binds in C and looks like a built-in method. Whoever finds out that it is a partial
    # (`inspect.iscoroutinefunction` does) and unwraps it comes to the original.

    __slots__ = ()

    def __getattribute__(self, name):
        if name == "func":
            return _original_of(self)
        if name in ("args", "keywords"):
            return () if name == "args" else {}
        return _Answers.__getattribute__(self, name)

    def __eq__(self, other):
        if type(other) is BoundMethod:
            return _func(self) is _func(other) and _args(self)[0] is _args(other)[0]
        return NotImplemented

    def __hash__(self):
        return hash((id(_args(self)[0]), id(_func(self))))

    if hasattr(_partial, "__get__"):  # Python 3.13 warns of it, 3.14 binds: a built-in method does neither

        def __get__(self, instance, owner=None):
            return self


_named(BoundMethod, "builtin_function_or_method")


class Function(_Answers):
    # `os.execve`: a callable that looks like a built-in function, and as such binds to nothing when it is an attribute of
    # a class. Each has a class of its own, which `stand_in` makes: so the interpreter calls what it does without a detour.

    __slots__ = ()


class Method(_Answers):
    # `socket.socket.recv`: a descriptor that looks like a method descriptor. `hooked(sock, *args, **kw)` does the work;
    # `original` is the method descriptor it stands for. Each has a class of its own, as functions have.

    __slots__ = ()

    def __new__(cls, hooked, original):
        hooked = veil(hooked)
        _originals[id(hooked)] = original
        kind = original.__objclass__

        def __get__(self, sock, owner=None):
            return self if sock is None else BoundMethod(hooked, sock)

        def __call__(self, *args, **kw):
            if not args or not isinstance(args[0], kind):
                return original(*args, **kw)  # raises the TypeError that it always raised
            return hooked(*args, **kw)

        def __getattribute__(self, name):
            if name == "__get__":  # asked for by name it may be given anything
                return lambda sock, owner=None: __get__(self, sock) if isinstance(sock, kind) else original.__get__(sock, owner)
            return _Answers.__getattribute__(self, name)

        namespace = {"__slots__": (), "_original": original, "__get__": __get__, "__call__": __call__}
        made = type("method_descriptor", (cls,), {**namespace, "__getattribute__": __getattribute__, "__module__": "builtins"})
        return object.__new__(made)

    def __init__(self, hooked, original):
        pass


def stands_in(found):
    """Say whether something stands in already: a signal handler of the program may have raised in the middle of an installation."""
    return issubclass(type(found), (_Answers, *_native_types))


def veil(hooked, is_unseen=False):
    """Return what a hook is called through: with the C core, tracebacks of the program show no frame of ours.

    Args:
        is_unseen: nor do its tracers and profilers; for a hook in which no Python of the program runs but signal handlers.
    """
    return hooked if _veil_type is None else _veil_type(hooked, AGENT, is_unseen)


def draw_veil(native):
    """Hide our frames from now on, where that can be done.

    Args:
        native: the module `_core`, or None.
    """
    global _veil_type, _native_types
    _veil_type = native.Veil if native else None
    _native_types = (native.Method, native.Gate) if native else ()


_veil_type = None
_native_types: tuple = ()


def stand_in(hooked, original, is_unseen=False):
    """Return a callable that does what `hooked` does and looks like the built-in function `original`.

    Args:
        is_unseen: as of `veil`.
    """
    call = staticmethod(veil(hooked, is_unseen))
    answers = {"__slots__": ("__weakref__",), "__call__": call, "__module__": "builtins", "_original": original}
    return type("builtin_function_or_method", (Function,), answers)()


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
