"""Our modules, apart from those of the program: under no name in `sys.modules`, with builtins of their own.

Owns how the modules of this package are loaded. A program may put something else in the place of `len` or `print`;
and what freezes the time or fakes the file system (freezegun, pyfakefs) goes through all modules that it finds, and
replaces `time.monotonic_ns` and `os.open` under whatever name they stand there.

A function takes its builtins from the name `__builtins__` among its module's globals when it is made (frames of
Python 3.8 and 3.9: when it is called): so a copy of them stands there before the first line of a module runs. That
copy's `__import__` knows our modules. Their code bears names that are no paths.
"""

import _frozen_importlib as _bootstrap
import _frozen_importlib_external as _machinery
import _imp
import builtins
import sys

_own = globals()["__builtins__"] = dict(vars(builtins))
_import_theirs = builtins.__import__
_modules: dict = {}  # name without the package's -> module; the package itself is ""


def _rename(code, name):
    # No path: whatever of the program counts or lists the files that ran, such as coverage, leaves our code out.
    _imp._fix_co_filename(code, "<sockreel agent: %s.py>" % name.rpartition(".")[2])


class _Loader(_machinery.SourceFileLoader):
    def get_code(self, fullname):
        code = super().get_code(fullname)
        _rename(code, fullname)
        return code

    def exec_module(self, module):
        module.__dict__["__builtins__"] = _own
        super().exec_module(module)


def begin(package):
    """Load the modules of a package apart from now on.

    Args:
        package: a module with one folder as its path, in `sys.modules` no longer than it takes to load this one.
    """
    _modules[""] = package
    _modules["apart"] = sys.modules.pop(__name__)
    sys.path_importer_cache.pop(package.__path__[0], None)
    _own["__import__"] = _import
    for function in (_rename, _Loader.get_code, _Loader.exec_module, load, _import):
        _rename(function.__code__, __name__)


def load(name):
    """Return a module of ours, run when it is first asked for.

    Args:
        name: without that of the package.

    Raises:
        ImportError: there is none.
    """
    module = _modules.get(name)
    if module is None:
        package = _modules[""]
        loaders = (_machinery.ExtensionFileLoader, _imp.extension_suffixes()), (_Loader, _machinery.SOURCE_SUFFIXES)
        spec = _machinery.FileFinder(package.__path__[0], *loaders).find_spec(package.__name__ + "." + name)
        if spec is None:
            raise ImportError("no module of ours is called " + name)
        module = _bootstrap.module_from_spec(spec)
        _modules[name] = module  # before it runs: some import each other
        spec.loader.exec_module(module)
        setattr(package, name, module)
    return module


def _import(name, globals=None, locals=None, fromlist=(), level=0):
    """Do what `import` means in a module of ours: `from . import a, b`, `from .a import b`, or a module of the library."""
    if not level:
        return _import_theirs(name, globals, locals, fromlist, level)
    if name:
        return load(name)
    for one in fromlist:
        load(one)
    return _modules[""]
