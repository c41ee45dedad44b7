"""Memory of files, and memory of no file, without Python's mmap.

Owns mapping and giving back. Nothing here takes a lock or keeps a descriptor.
"""

import _ctypes
import _functools  # type: ignore[import-not-found]
import _operator

from . import layout

# What `ctypes` is made of: that module's name is left to the program, which may have one of its own.


class _Char(_ctypes._SimpleCData):
    _type_ = "c"


class _Int(_ctypes._SimpleCData):
    _type_ = "i"


class _Long(_ctypes._SimpleCData):
    _type_ = "l"


class _Size(_ctypes._SimpleCData):
    _type_ = "L"


class _Address(_ctypes._SimpleCData):
    _type_ = "P"


class _Library:
    """The C library, as `_ctypes` wants to see one."""

    _handle = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]


class _Mmap(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Address
    _argtypes_ = (_Address, _Size, _Int, _Int, _Int, _Long)


class _Munmap(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL
    _restype_ = _Int
    _argtypes_ = (_Address, _Size)


class _Limits(_ctypes.Array):
    _type_ = _Size
    _length_ = 2


class _Getrlimit(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL
    _restype_ = _Int
    _argtypes_ = (_Int, _Address)


_mmap = _Mmap(("mmap", _Library()))  # type: ignore[arg-type]
_munmap = _Munmap(("munmap", _Library()))  # type: ignore[arg-type]
_getrlimit = _Getrlimit(("getrlimit", _Library()))  # type: ignore[arg-type]
_RLIMIT_AS = 9
_UNLIMITED = (1 << 64) - 1
_PROT_READ_WRITE = 3
_MAP_SHARED = 1
_MAP_PRIVATE = 2
_MAP_ANONYMOUS = 0x20
_MAP_POPULATE = 0x8000
_MAP_FAILED = _Address(-1).value


def _mapping_type(size):
    """Return a type of `size` mapped bytes that gives its memory back, by `unmap`, when nobody holds it any more.

    No line of Python runs then: a signal's handler would run in it, and what that raises, such as
    KeyboardInterrupt, would be printed as ignored in ours instead of reaching the program.
    """

    class Mapping(_ctypes.Array):
        _type_ = _Char
        _length_ = size
        __del__ = property(_operator.attrgetter("unmap"))

    return Mapping


_MAPPINGS = {size: _mapping_type(size) for size in {layout.HEAD_BYTES, *layout.SEGMENT_BYTES.values()}}


def map_file(descriptor, size):
    """Map a file without keeping a descriptor: Python's mmap keeps a duplicate that the program could close.

    Returns:
        A writable buffer of `size` bytes, unmapped when its last reference goes.

    Raises:
        OSError: no memory, or the file cannot be mapped.
    """
    return _mapped(size, _MAP_SHARED | _MAP_POPULATE, descriptor)


def map_memory(size):
    """Map memory that no file stands for.

    Returns:
        As `map_file`.

    Raises:
        OSError: no memory.
    """
    return _mapped(size, _MAP_PRIVATE | _MAP_ANONYMOUS, -1)


def _mapped(size, flags, descriptor):
    address = _mmap(None, size, _PROT_READ_WRITE, flags, descriptor, 0)
    if address == _MAP_FAILED:
        raise OSError(_ctypes.get_errno(), "mmap")
    mapping = _MAPPINGS[size].from_address(address)
    mapping.unmap = _functools.partial(_munmap, address, size)
    return mapping


def is_limited():
    """Say whether the program may not have as many addresses as it likes (RLIMIT_AS): what we map is taken from it then."""
    limits = _Limits()
    return _getrlimit(_RLIMIT_AS, _ctypes.addressof(limits)) != 0 or limits[0] != _UNLIMITED
