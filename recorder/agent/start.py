"""How the agent comes to life in a fresh interpreter, and in a forked child.

Owns settings, the wait for the program's first import of `socket`, and fork. Knows that the
program must see its own environment, path and modules, as if nobody were here.
"""

import _frozen_importlib
import os
import sys

_VARIABLE = "SOCKREEL_AGENT"


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
    except OSError:
        return ""


class WaitForSocket:
    """A finder that steps aside at the first import of the standard library's `socket`, and hooks it.

    Importing `socket` ourselves would take the name from a program that has a module of its own.
    """

    def __init__(self, install):
        self.install = install

    def find_spec(self, name, path=None, target=None):
        """Find `socket` as everybody else would, with a loader that hooks it once it has run."""
        if name != "socket":
            return None
        try:
            sys.meta_path.remove(self)
        except ValueError:
            pass
        spec = _frozen_importlib._find_spec(name, path, target)
        library = os.path.dirname(os.path.abspath(os.__file__))
        if spec is not None and spec.loader is not None and os.path.dirname(os.path.abspath(spec.origin or "")) == library:
            spec.loader = _HookingLoader(spec.loader, spec, self.install)
        return spec


class _HookingLoader:
    def __init__(self, loader, spec, install):
        self.loader, self.spec, self.install = loader, spec, install

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.spec.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        try:
            self.install(module)
        except Exception:
            pass

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
    from . import children, choice, core, cost

    native, name, why = choice.choose(settings.get("core", ""))
    cost_ns = cost.measure(native)  # first of all: it leaves the core as if nothing had been
    recorder = core.Recorder(folders, describe(name, why), int(settings.get("payload", 256)), native, cost_ns)
    recorder.open()
    children.install(folder, recorder)
    os.register_at_fork(after_in_child=core.restart_after_fork)

    def install(module):
        from . import methods

        methods.install(module.socket, recorder)

    if "socket" in sys.modules:
        install(sys.modules["socket"])
    else:
        sys.meta_path.insert(0, WaitForSocket(install))
