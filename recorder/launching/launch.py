"""From a command line to a started program with the agent in front of it.

Owns what `record SCRIPT|-m MODULE|COMMAND` means, the program's environment, and why a program
cannot be started. Knows no trace.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import SockreelError

AGENT_KEY = b"SOCKREEL_AGENT"  # names the tape directory in the environment of all of a run's processes
INJECT = Path(__file__).parent.parent / "agent" / "inject"
_DEAF_FLAGS = {"I": "-I (isolated)", "E": "-E (no environment)", "S": "-S (no site)"}
_VALUE_FLAGS = {"W", "X", "Q"}
_ASIDE = "program.stderr"
_LAST_BYTES = 4096


class LaunchError(SockreelError):
    """The program could not be started: 127 not found, 126 not executable, 125 our own failure."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


@dataclass(frozen=True)
class Command:
    """What to run.

    Args:
        arguments: program first, as for exec.
        name: of the trace file, where the user names none.
        deaf: why the interpreter will not hear us, or "".
        under: what starts it in its own process and stands before it on the command line, such as strace -D.
    """

    arguments: tuple[str, ...]
    name: str
    deaf: str = ""
    under: tuple[str, ...] = ()


def find_python(wanted: str | None = None) -> str:
    """Return the interpreter: the one asked for, else `python`, else `python3` on PATH, else our own.

    Raises:
        LaunchError: the one asked for does not exist or is not executable.
    """
    if wanted is not None:
        _check_executable(wanted)
        return wanted
    return shutil.which("python") or shutil.which("python3") or sys.executable


def resolve(target: Sequence[str], module: str | None, python: str | None) -> Command:
    """Decide what a command line of `record` means.

    Args:
        target: SCRIPT or COMMAND and its arguments; only arguments where a module is given.
        module: of `-m`, or None.
        python: of `--python`, or None.

    Raises:
        LaunchError: not found (127) or not executable (126).
    """
    if module is not None:
        return Command((find_python(python), "-m", module, *target), module)
    first = target[0]
    path = Path(first)
    if first == "-":
        return Command((find_python(python), *target), "stdin")  # as `python -`: a script comes in
    if _is_script(path):
        return Command((find_python(python), *target), path.stem or path.name)
    _check_executable(first)
    if python is not None:
        raise LaunchError(f"--python is for scripts and modules, and {first} is neither", 125)
    return Command(tuple(target), path.stem, deaf_flag(target))


def _is_script(path: Path) -> bool:
    if path.suffix in (".py", ".pyw", ".pyz"):
        return path.is_file()
    return path.is_dir() and (path / "__main__.py").is_file()


def _check_executable(command: str) -> None:
    if shutil.which(command) is not None:
        return
    path = Path(command)
    if path.suffix in (".py", ".pyw", ".pyz") and not path.exists():
        raise LaunchError(f"{command}: no such script", 127)
    if "/" not in command:
        here = " (there is a file of this name here: say ./ in front, or give it the ending .py)" if path.is_file() else ""
        raise LaunchError(f"{command}: command not found{here}", 127)
    if path.is_dir():
        raise LaunchError(f"{command} is a directory", 126)
    if path.exists():
        raise LaunchError(f"{command} is not executable: chmod +x it, or record a .py script", 126)
    raise LaunchError(f"{command}: no such file", 127)


def deaf_flag(arguments: Sequence[str]) -> str:
    """Return the flag with which a Python interpreter ignores PYTHONPATH or sitecustomize, or ""."""
    words = list(arguments)
    if not is_python(words[0]):
        words = [*_shebang(shutil.which(words[0]) or words[0]), *words[1:]]
    while words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if word != "-S"]
        while words and "=" in words[0]:
            words.pop(0)
    if not words or not is_python(words[0]):
        return ""
    for position, word in enumerate(words[1:], 1):
        if not word.startswith("-") or word == "-" or word.startswith("--") or word[1] in "cm":
            break
        if words[position - 1] in ("-W", "-X"):
            continue
        for letter in word[1:]:
            if letter in _DEAF_FLAGS:
                return _DEAF_FLAGS[letter]
            if letter in _VALUE_FLAGS or letter in "cm":
                break
    return ""


def is_python(word: str) -> bool:
    """Say whether a program is an interpreter, by its name."""
    return Path(word).name.startswith(("python", "pypy"))


def _shebang(program: str) -> list[str]:
    try:
        with open(program, "rb") as file:
            line = file.readline(256)
    except OSError:
        return []
    return line[2:].decode("utf-8", "replace").split() if line.startswith(b"#!") else []


def environment(tape: Path, mine: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the environment of the program: the user's, with the agent in front.

    Args:
        tape: the tape directory.
        mine: the user's environment.
    """
    inject = os.fsencode(INJECT)
    path = mine.get(b"PYTHONPATH")
    changed = {**mine, AGENT_KEY: os.fsencode(tape), b"PYTHONPATH": inject + b":" + path if path else inject}
    changed.pop(b"SOCKREEL_EMPTY_PYTHONPATH", None)
    if path == b"":
        changed[b"SOCKREEL_EMPTY_PYTHONPATH"] = b"1"
    return changed


def _as_activated(arguments: Sequence[str]) -> list[str]:
    """Return a command that finds its own number where socket activation (sd_listen_fds(3)) gave us ours."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return list(arguments)
    return ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *arguments]


@contextlib.contextmanager
def our_own_umask() -> Iterator[int]:
    """See to it that files we make are ours to open again, and yield the mask that the program is to have; -1: that of ours."""
    mask = os.umask(0o077)
    os.umask(mask & ~0o700)
    try:
        yield mask if mask & 0o700 else -1
    finally:
        os.umask(mask)


def start(command: Command, tape: Path, silent: bool = False, aside: bool = False, umask: int = -1) -> subprocess.Popen[bytes]:
    """Start the program with our standard streams, in our process group.

    Args:
        command: what to run.
        tape: the tape directory.
        silent: its standard output goes nowhere, and it has nothing to read.
        aside: its standard error goes into a file of the tape directory, for `last_words`.
        umask: to have; -1: ours.

    Raises:
        LaunchError: it cannot be executed.
    """
    try:
        # Descriptors that the user's shell opened for the program stay open; ours are close-on-exec.
        nowhere = subprocess.DEVNULL if silent else None
        env = environment(tape, os.environb)
        arguments = (*command.under, *_as_activated(command.arguments))
        with open(tape / _ASIDE, "wb") if aside else contextlib.nullcontext() as errors:
            return subprocess.Popen(arguments, env=env, close_fds=False, stdin=nowhere, stdout=nowhere, stderr=errors, umask=umask)
    except FileNotFoundError as error:
        if shutil.which(command.arguments[0]):
            message = f"{command.arguments[0]} cannot be executed: the interpreter in its first line does not exist"
            raise LaunchError(message, 126) from error
        raise LaunchError(f"{command.arguments[0]}: {error.strerror}", 127) from error
    except OSError as error:
        raise LaunchError(f"{command.arguments[0]} cannot be executed: {error.strerror}", 126) from error


def last_words(tape: Path) -> dict[str, str]:
    """Return the last line that a program started `aside` wrote to stderr, as {"last_words": line}; {} where there is none.

    Args:
        tape: the tape directory.
    """
    try:
        with open(os.open(tape / _ASIDE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LAST_BYTES))
            lines = file.read(_LAST_BYTES).decode("utf-8", "replace").split("\n")
    except OSError:
        return {}
    said = [line.strip() for line in lines if line.strip()]
    return {"last_words": said[-1]} if said else {}
