"""What people install: the wheel, built from the source distribution, in a clean environment far from the clone.

Needs a package index, for setuptools and for what sockreel depends on; skips, and says so, without one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import struct
import subprocess
import sys
import sysconfig
import tarfile
import termios
import zipfile
from pathlib import Path

import pytest
from sockreel.tests.examples import write_lab

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow

PATIENCE_S = 60.0
NOT_CODE = ["traces/schema.sql", "traces/views.sql", "traces/words.sql", "py.typed", "replay/translations/zh.po",
            "replay/translations/zh-quiz.po",
            "traces/samples/nonblocking.db"]


def _run(*command: str | Path, cwd: Path, ok: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert not ok or done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done


def _copy_of_the_clone(folder: Path) -> Path:
    """Copy what a clone holds, without what was made in it. The build then leaves nothing in the clone."""
    made = shutil.ignore_patterns(".git", ".venv", "__pycache__", "build", "dist", "*.egg-info", "*.so", ".*_cache", ".hypothesis")
    clone = Path(shutil.copytree(ROOT, folder / "a clone with spaces", ignore=made, symlinks=True))
    for trace in clone.glob("*.db"):
        trace.unlink()
    return clone


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("packages")
    clone = _copy_of_the_clone(folder)
    done = _run(sys.executable, "-m", "build", "--outdir", folder, clone, cwd=folder, ok=False)
    if done.returncode and "No matching distribution" in done.stdout + done.stderr:
        pytest.skip("no package index to take setuptools from")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (sdist,), (wheel,) = folder.glob("sockreel-*.tar.gz"), folder.glob("sockreel-*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of a clean environment into which the wheel was installed."""
    folder = tmp_path_factory.mktemp("elsewhere")
    _run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", packages[1], cwd=folder)
    return python.parent


def _house_files() -> set[str]:
    """Every file of the rooms that a program needs: code, SQL, workloads."""
    rooms = [path for room in ("commands", "recorder", "replay", "traces") for path in (ROOT / room).rglob("*")]
    kinds = (".py", ".sql", ".toml", ".html", ".css", ".js", ".db")
    kept = [path for path in [*ROOT.glob("*.py"), *rooms] if path.suffix in kinds and path.name != "setup.py"]
    return {path.relative_to(ROOT).as_posix() for path in kept} | {"py.typed"}


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_under_another_name(packages: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(packages[1]) as wheel:
        names = set(wheel.namelist())
    inside = {name.removeprefix("sockreel/") for name in names if name.startswith("sockreel/")}
    assert inside >= _house_files()
    for must in (*NOT_CODE, "recorder/agent/inject/sitecustomize.py", "recorder/servers/nonblocking.py", "recorder/workloads/lecture.toml"):
        assert must in inside
    assert not any(name.startswith(("tests/", "tools/", "docs/")) for name in inside)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"sockreel"}


def test_the_source_distribution_holds_what_is_needed_to_test_and_to_read(packages: tuple[Path, Path]) -> None:
    with tarfile.open(packages[0]) as sdist:
        inside = {name.partition("/")[2] for name in sdist.getnames()}
    assert inside >= _house_files()
    for must in ("LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "docs/trace-format.md", "tests/synthetic.py"):
        assert must in inside


def test_the_installed_command_works_far_from_the_clone(installed: Path, tmp_path: Path) -> None:
    write_lab(tmp_path / "lab.db")
    sockreel = installed / "sockreel"
    assert "Record what a Python server does" in _run(sockreel, "--help", cwd=tmp_path).stdout
    assert "nonblocking" in _run(sockreel, "runs", "lab.db", cwd=tmp_path).stdout
    assert "would_block" in _run(sockreel, "stats", "lab.db", cwd=tmp_path).stdout
    assert "fruitless" in _run(sockreel, "query", "lab.db", "--list", cwd=tmp_path).stdout
    assert "lab.db: whole" in _run(sockreel, "check", "lab.db", cwd=tmp_path).stdout
    assert _run(sockreel, "compare", "lab.db", cwd=tmp_path).stdout
    assert _run(installed / "python", "-m", "sockreel", "show", "lab.db", cwd=tmp_path).stdout


def test_the_installed_lab_records_and_compares(installed: Path, tmp_path: Path) -> None:
    done = _run(installed / "sockreel", "lab", "--workload", "burst", "-o", "lab.db", cwd=tmp_path)
    assert {"blocking", "nonblocking", "select", "epoll_edge", "asyncio_streams", "signal_driven"} <= set(done.stdout.split())
    assert "Each answered all of its 200 exchanges rightly." in done.stdout
    assert "lab.db: whole" in _run(installed / "sockreel", "check", "lab.db", cwd=tmp_path).stdout
    assert os.listdir(tmp_path) == ["lab.db"]


def test_the_installed_command_plays_a_sample_from_where_nobody_may_write(installed: Path, tmp_path: Path) -> None:
    (samples,) = (installed.parent / "lib").glob("python3*/site-packages/sockreel/traces/samples")
    before = sorted(os.listdir(samples))
    samples.chmod(0o555)
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "HOME": str(tmp_path)}
    player = subprocess.Popen([installed / "sockreel", "play", "--sample", "nonblocking"], cwd=tmp_path, env=environment, stdin=slave,
                              stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    shown = b""
    try:
        while b"step 0 of" not in shown:
            assert select.select([master], [], [], PATIENCE_S)[0], shown
            shown += os.read(master, 1 << 16)
        os.write(master, b"q")
        with contextlib.suppress(OSError):  # EIO: it has closed the terminal
            while select.select([master], [], [], PATIENCE_S)[0] and os.read(master, 1 << 16):
                pass
        assert player.wait(PATIENCE_S) == 0
    finally:
        player.kill()
        player.wait()
        os.close(master)
        samples.chmod(0o755)
    assert sorted(os.listdir(samples)) == before
    assert "nonblocking.db" in before


def test_only_what_is_declared_is_needed_to_run(installed: Path, tmp_path: Path) -> None:
    ask = "import importlib.metadata as m; print(*sorted(d.metadata['Name'].lower() for d in m.distributions()))"
    names = set(_run(installed / "python", "-c", ask, cwd=tmp_path).stdout.split())
    assert {"sockreel", "click", "rich", "scapy", "sqlite-utils"} <= names
    assert not {"pytest", "hypothesis", "mypy", "pillow"} & names


def test_make_fills_a_bare_clone_whose_folder_has_spaces(tmp_path: Path) -> None:
    if not shutil.which("make"):
        pytest.skip("no make here")
    clone = _copy_of_the_clone(tmp_path)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sysconfig.get_config_var("BINDIR")) / f"python{version}"
    _run("make", f".venv/.runtime-{version}", f"PYTHON={base}", cwd=clone)
    assert "sockreel, version" in _run(clone / ".venv" / "bin" / "sockreel", "--version", cwd=tmp_path).stdout
    again = _run("make", f".venv/.runtime-{version}", f"PYTHON={base}", cwd=clone).stdout
    assert "up to date" in again or "Nothing to be done" in again
    moved = clone.rename(tmp_path / "renamed")
    assert "sockreel, version" in _run(moved / ".venv" / "bin" / "sockreel", "--version", cwd=tmp_path).stdout


def test_make_names_what_is_wrong_with_a_python_that_is_too_old_or_not_there(tmp_path: Path) -> None:
    if not shutil.which("make"):
        pytest.skip("no make here")
    clone = _copy_of_the_clone(tmp_path)
    old = tmp_path / "python-old"
    old.write_text('#!/bin/sh\ncase "$2" in *print*) echo 3.8;; *) exit 1;; esac\n')
    old.chmod(0o755)
    for python, said in ((old, "is Python 3.8."), (tmp_path / "nowhere", "is not there.")):
        done = _run("make", "lab", f"PYTHON={python}", cwd=clone, ok=False)
        assert done.returncode != 0
        assert f'sockreel needs Python 3.10 or newer; "{python}" {said} Name another one: make PYTHON=python3.12 lab\n' in done.stderr
        assert not (clone / ".venv").exists()
