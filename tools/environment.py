"""Makes the environment of this folder: `.venv`, what sockreel needs, and sockreel itself as a link.

Owns .venv/. Run by make: `environment.py runtime` with the user's Python, then, for the tests,
`environment.py tools`. Uses the standard library only.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"

# The shell finds Python beside the script, since a path with spaces fits in no `#!` line.
COMMAND = """\
#!/bin/sh
exec "$(dirname -- "$(realpath -- "$0")")/python" -c '
import sys
if sys.path[:1] == [""]:
    del sys.path[0]
from sockreel.__main__ import main
main()' "$@"
"""
# Read by the environment's own Python: 3.10 has no tomllib, but pip carries one.
READ_REQUIREMENTS = """\
import sys
try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib
with open("pyproject.toml", "rb") as file:
    house = tomllib.load(file)
wanted = [*house["project"]["dependencies"], *house["build-system"]["requires"]]
if sys.argv[1] != "runtime":
    wanted = house["dependency-groups"][sys.argv[1]]
print("\\n".join(wanted))
"""


class Failure(Exception):
    """What went wrong, in one line."""


def run(*command: str | Path, **options: Any) -> str:
    """Run a command in the root and return what it printed."""
    done = subprocess.run(list(map(str, command)), cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE, **options)
    return str(done.stdout)


def usable() -> bool:
    """Say whether the environment stands, with pip, and is of our own Python version."""
    ask = "import sys, pip; print(*sys.version_info[:2])"
    try:
        return run(PYTHON, "-c", ask, stderr=subprocess.DEVNULL).split() == [str(number) for number in sys.version_info[:2]]
    except (OSError, subprocess.CalledProcessError):
        return False


def make_environment() -> None:
    """Make `.venv` anew.

    Raises:
        Failure: this Python cannot make one.
    """
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        version = "{}.{}".format(*sys.version_info[:2])
        raise Failure(
            f"{sys.executable} cannot make environments: install its venv module (on Debian and Ubuntu: "
            f"apt install python{version}-venv), or name another Python: make PYTHON=..."
        )
    if ENVIRONMENT.is_symlink():
        ENVIRONMENT.unlink()
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    run(sys.executable, "-m", "venv", ENVIRONMENT)


def install(kind: str) -> None:
    """Install the requirements of pyproject.toml: `runtime`, or a dependency group."""
    wanted = run(PYTHON, "-c", READ_REQUIREMENTS, kind).split("\n")
    print(f"installing {', '.join(line for line in wanted if line and ';' not in line)}", file=sys.stderr)
    run(PYTHON, "-m", "pip", "install", "--quiet", "--no-warn-script-location", *filter(None, wanted))


def install_frameworks() -> None:
    """Install the programs that tests record; where one cannot be had, their tests skip."""
    try:
        install("frameworks")
    except subprocess.CalledProcessError:
        print("not all of them could be installed: tests that record those will skip", file=sys.stderr)


def put_sockreel_in() -> None:
    """Link the root into the environment as the package `sockreel`, and write its command."""
    packages = Path(run(PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").rstrip("\n"))
    link = packages / "sockreel"
    link.unlink(missing_ok=True)
    # Relative: the folder may be renamed.
    link.symlink_to(os.path.relpath(ROOT, packages.resolve()))
    command = ENVIRONMENT / "bin" / "sockreel"
    command.write_text(COMMAND, encoding="utf-8")
    command.chmod(0o755)


def build_core() -> None:
    """Build the C core of the agent where it stands; without a compiler say so, and go on without it."""
    for old in [*ROOT.glob("recorder/tapes/_slots.*.so"), *ROOT.glob("recorder/agent/_core.*.so")]:
        old.unlink()
    done = subprocess.run([PYTHON, "setup.py", "-q", "build_ext", "--inplace"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if not list((ROOT / "recorder" / "agent").glob("_core.*.so")) and os.environ.get("SOCKREEL_C") != "no":
        print("the C core could not be built (it needs a C compiler and Python's headers): the Python core does its work", file=sys.stderr)
        if done.returncode or os.environ.get("SOCKREEL_C") == "require":
            raise Failure(done.stdout.decode(errors="replace"))


def main(arguments: list[str]) -> int:
    """Make the environment (`runtime`), or add what the tests need (`tools`); return the exit status."""
    kind = arguments[0] if arguments else "runtime"
    try:
        if kind == "runtime":
            if not usable():
                print(f"making {ENVIRONMENT.name} with Python {sys.version.split()[0]}", file=sys.stderr)
                make_environment()
            put_sockreel_in()
        if kind == "runtime":
            install(kind)
            build_core()
        else:
            install("dev")
            install_frameworks()
    except Failure as failure:
        print(failure, file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"could not {'make' if 'venv' in error.cmd else 'fill'} {ENVIRONMENT.name}: see above", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
