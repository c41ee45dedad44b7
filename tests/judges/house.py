"""A copy of the package with a C core for every interpreter that is to be judged.

Owns the copy: the work tree may change while the judges sit. The C core is built for the interpreter that sockreel is
installed for; here one is put beside it for each other interpreter that the core can be built for, 3.10 on.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "dist", "__pycache__", ".*_cache", ".hypothesis", "*.db", "docs")
_ASK = """\
import json, platform, sys, sysconfig
from importlib.util import find_spec
print(json.dumps({
    "version": platform.python_version(),
    "include": sysconfig.get_path("include"),
    "suffix": sysconfig.get_config_var("EXT_SUFFIX"),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "has_tests": find_spec("test.regrtest") is not None,
}))
"""
_START = "import sys; sys.path.insert(0, {folder!r}); from sockreel.__main__ import main; main()"


@dataclass(frozen=True)
class Interpreter:
    """A Python that programs are run by."""

    path: str
    version: str
    has_tests: bool
    has_c_core: bool


@dataclass(frozen=True)
class House:
    """The copy: `command` is what `sockreel` is on a command line."""

    command: tuple[str, ...]
    interpreters: tuple[Interpreter, ...]


def set_up(folder: Path, interpreters: list[str]) -> House:
    """Copy the package into a folder and build its C cores.

    Args:
        folder: one that the copy may have to itself.
        interpreters: paths of Pythons, or names found on PATH.
    """
    package = folder / "sockreel"
    shutil.copytree(ROOT, package, ignore=_LEFT_OUT)
    known = tuple(_look_at(package / "recorder" / "agent", path) for path in interpreters)
    return House((sys.executable, "-c", _START.format(folder=str(folder))), known)


def _look_at(agent: Path, path: str) -> Interpreter:
    said = json.loads(subprocess.run([path, "-c", _ASK], check=True, capture_output=True, text=True).stdout)
    core = agent / f"_core{said['suffix']}"
    modern = tuple(map(int, said["version"].split(".")[:2])) >= (3, 10)
    if not core.exists() and modern and not said["free_threaded"]:
        flags = "-O3 -fno-plt -fno-semantic-interposition -std=gnu11 -shared -fPIC"
        build = ["cc", *shlex.split(flags), f"-I{said['include']}", str(agent / "_core.c"), "-o", str(core)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    return Interpreter(shutil.which(path) or path, said["version"], said["has_tests"], core.exists())
