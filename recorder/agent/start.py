"""How the agent comes to life in a fresh interpreter, and in a forked child.

Owns settings, the wait for the program's first import of what is hooked, and fork. Knows that the
program must see its own environment, path and modules, as if nobody were here.
"""

import _frozen_importlib
import _frozen_importlib_external
import _imp
import os
import sys

from .lookalike import stand_in
from .raised import pass_on


def read_settings(folder):
    """Return the settings the recorder left in the tape directory: name -> text."""
    descriptor = os.open(os.path.join(folder, "settings"), os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, 65536).decode("utf-8", "surrogateescape")
    finally:
        os.close(descriptor)
    return dict(line.split(" ", 1) for line in content.splitlines() if " " in line)


def describe(core, why):
    """Return what the head says of this process: strings, the command line last.

    Args:
        core: c or python.
        why: that one.
    """
    descriptor = os.open("/proc/self/cmdline", os.O_RDONLY | os.O_CLOEXEC)
    try:
        command = os.read(descriptor, 32768)
    finally:
        os.close(descriptor)
    version = "%d.%d.%d" % sys.version_info[:3]
    return (version, sys.implementation.name, core, why, sys.executable or "", _directory(), *command.split(b"\0")[:-1])


def _directory():
    try:
        return os.getcwd()
    except OSError as error:
        pass_on(error)
        return ""


class WaitForModules:
    """A finder that hooks modules of the standard library at their first import, and then steps aside.

    Importing them ourselves would take the name from a program that has a module of its own.

    Args:
        installs: name of a module -> function(module) that hooks it.
    """

    def __init__(self, installs):
        self.installs = installs

    def find_spec(self, name, path=None, target=None):
        """Find a module as everybody else would, with a loader that hooks it once it has run."""
        install = self.installs.pop(name, None)
        if install is None:
            return None
        if not self.installs:
            try:
                sys.meta_path.remove(self)
            except ValueError as error:
                pass_on(error)
        spec = _frozen_importlib._find_spec(name, path, target)
        if spec is not None and spec.loader is not None and ("." in name or _is_library(spec.origin or "")):
            spec.loader = _HookingLoader(spec.loader, spec, install, lambda: self._wait_again(name, install))
        return spec

    def _wait_again(self, name, install):
        self.installs[name] = install
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)


class WaitInLibrary:
    """The same for one module that most programs never import, and so without a finder that stays in `sys.meta_path`.

    The finder of the library's own folder is asked through us, as long as the module is to come.

    Args:
        name: of a module that is a file in a folder.
        install: function(module) that hooks it.
        folder: that of the standard library unless given.
    """

    def __init__(self, name, install, folder=None):
        self.name, self.install = name, install
        library = folder or os.path.dirname(os.path.abspath(os.__file__))
        self.finder = _frozen_importlib_external.PathFinder._path_importer_cache(library)
        self.find_spec = self.finder.find_spec
        self._wait()

    def _find_spec(self, name, target=None):
        spec = self.find_spec(name, target)
        if name == self.name and spec is not None and spec.loader is not None:
            self.finder.__dict__.pop("find_spec", None)
            spec.loader = _HookingLoader(spec.loader, spec, self.install, self._wait)
        return spec

    def _wait(self):
        self.finder.find_spec = self._find_spec


def _is_library(origin):
    """Say whether a module comes with Python: built in, a file of the library, or an extension beside it."""
    library = os.path.dirname(os.path.abspath(os.__file__))
    return origin in ("built-in", "frozen") or os.path.dirname(os.path.abspath(origin)) in (library, os.path.join(library, "lib-dynload"))


def hook_extension(name, install):
    """Hook a module of the library that may be an extension, now or when it is imported, without a finder that could be seen.

    Args:
        name: of the module.
        install: function(module) that hooks it.
    """
    if name in sys.builtin_module_names or name in sys.modules:
        install(sys.modules.get(name) or __import__(name))
        return
    original = _imp.exec_dynamic

    def exec_dynamic(*args, **kw):
        result = original(*args, **kw)
        try:
            module = args[0]
            spec = module.__spec__
            if spec.name == name and _is_library(spec.origin or ""):
                if _imp.exec_dynamic is hooked:
                    _imp.exec_dynamic = original
                install(module)
        except Exception as error:
            pass_on(error)
        return result

    hooked = _imp.exec_dynamic = stand_in(exec_dynamic, original)


class _HookingLoader:
    def __init__(self, loader, spec, install, wait_again):
        self.loader, self.spec, self.install, self.wait_again = loader, spec, install, wait_again

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.spec.loader = module.__loader__ = self.loader
        is_done = False
        try:
            self.loader.exec_module(module)
            try:
                self.install(module)
            except Exception as error:
                pass_on(error)
            is_done = True
        finally:
            if not is_done:
                self.wait_again()  # the import has failed, as a signal handler raised: the program may try again

    def __getattr__(self, name):
        return getattr(self.loader, name)


def start(folder):
    """Start recording this interpreter.

    Args:
        folder: the tape directory.

    Raises:
        Exception: anything that keeps us from recording; the program must not see it.
    """
    settings = read_settings(folder)
    folders = [folder] + ([settings["spill"]] if settings.get("spill") else [])
    from . import children, choice, control, core, cost, dropping, files, forks, lookalike, signals

    kernel_times = settings.get("kernel_times") == "yes"
    native, name, why = choice.choose(settings.get("core", ""), kernel_times)
    cost_ns = cost.measure(native, kernel_times)  # first of all: it leaves the core as if nothing had been
    lookalike.draw_veil(native)
    recorder = core.Recorder(folders, describe(name, why), int(settings.get("payload", 256)), native, cost_ns, kernel_times)
    recorder.open()
    recorder.sockets.take_stock()
    children.install(folder, recorder)
    files.install(recorder)
    signals.install(native)
    control.install_os()
    dropping.install()
    forks.install()
    _hook_library(recorder)
    hook_extension("fcntl", control.install)


def _hook_library(recorder):
    """Hook the modules that are there, and wait for the others."""
    from . import extensions, files, green, rings

    def hook_socket(module):
        from . import methods

        methods.install(module.socket, recorder)
        files.install_socket(module, recorder)

    def hook_select(module):
        from . import waits

        waits.install(module)

    def hook_ssl(module):
        from . import tls

        tls.install(module, recorder)

    if "ssl" in sys.modules:
        hook_ssl(sys.modules["ssl"])
    else:
        WaitInLibrary("ssl", hook_ssl)
    installs = {"socket": hook_socket, "select": hook_select}
    servers = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers")
    servers = os.path.realpath(servers)
    scripts = [word for word in recorder.text[6:] if word.endswith(b"io_uring.py")]
    if any(os.path.realpath(os.path.dirname(word)) == os.fsencode(servers) for word in scripts):
        WaitInLibrary("ring", rings.install, servers)  # our teaching servers' own
    loaded = dict.fromkeys(rings.MODULES, rings.install)
    loaded["greenlet._greenlet"] = green.expect(recorder, WaitForModules, dict(installs))
    extensions.install(recorder, loaded)
    for name in list(installs):
        if name in sys.modules:
            installs.pop(name)(sys.modules[name])
    if installs:
        sys.meta_path.insert(0, WaitForModules(installs))
