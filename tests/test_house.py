"""The rules of the house: who may import whom, what a file may hold, what the front door loads."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sockreel

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("traces", "recorder", "replay", "commands")
# Room -> what it may import of ours. The files at the top are `front` (cli, __main__), `door` (__init__, for Python) or `common` (errors).
MAY_IMPORT = {
    "common": {"common"},
    "front": {"common", "front"},
    "door": {"replay"},
    "traces": {"common", "traces"},
    "recorder": {"common", "traces", "recorder", "agent", "clients"},
    "replay": {"common", "traces", "replay"},
    "commands": {"common", "traces", "recorder", "replay", "commands"},
    "agent": {"agent"},
    "servers": set(),
    "experiments": set(),
    "clients": {"clients"},
}
# Room -> what it may import of others, beside the standard library.
MAY_USE = {
    "front": {"click"},
    "traces": {"sqlite_utils"},
    "recorder": {"tomli", "sqlite_utils", "scapy"},
    "replay": {"rich", "pandas", "textual"},
    "commands": {"click", "rich"},
}


def _sources() -> list[Path]:
    top = [path for path in ROOT.glob("*.py") if path.name != "setup.py"]
    return sorted([*top, *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))])


SOURCES = [path.relative_to(ROOT).as_posix() for path in _sources()]
sources = pytest.mark.parametrize("source", SOURCES)


def _room(parts: tuple[str, ...]) -> str:
    """Return the room of a module, named by its parts below the package."""
    if parts[:2] in (("recorder", "agent"), ("recorder", "servers"), ("recorder", "experiments")):
        return parts[1]
    if parts[:3] in (("recorder", "workloads", "clients"), ("recorder", "workloads", "_client"), ("recorder", "workloads", "_queue")):
        return "clients"  # Run by path in a process of their own: they stand alone.
    if parts and parts[0] in ROOMS:
        return parts[0]
    if parts == ("__init__",):
        return "door"
    return "common" if parts[:1] in ((), ("errors",)) else "front"


def _imports(source: str) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """Yield what a file imports: whether it is ours, and its name in parts (ours: below the package)."""
    here = Path(source).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse((ROOT / source).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield False, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            if not node.level:
                yield False, module
            else:
                base = here[: len(here) - node.level + 1] + module
                # `from . import name` may name a module or something in the package itself.
                for alias in node.names:
                    whole = (*base, alias.name)
                    yield True, whole if (ROOT.joinpath(*whole).with_suffix(".py")).exists() or ROOT.joinpath(*whole).is_dir() else base


def test_the_house_is_found() -> None:
    assert len(SOURCES) > 25
    assert {_room(Path(source).with_suffix("").parts) for source in SOURCES} == set(MAY_IMPORT)


@sources
def test_a_room_imports_only_those_below_it(source: str) -> None:
    room = _room(Path(source).with_suffix("").parts)
    allowed = MAY_IMPORT[room]
    for ours, parts in _imports(source):
        if ours:
            assert _room(parts) in allowed, f"{source} imports {'.'.join(parts)}"
        else:
            assert parts[0] != "sockreel", f"{source} imports {'.'.join(parts)} by its full name: rooms import each other relatively"


@sources
def test_a_room_uses_only_the_libraries_it_is_meant_to(source: str) -> None:
    room = _room(Path(source).with_suffix("").parts)
    allowed = MAY_USE.get(room, set())
    # Names that the agent gives itself, and the host's module that it stands in for; a server's neighbour.
    own = {"agent": {"_sockreel_agent", "sitecustomize"}, "servers": {"ring"}}.get(room, set())
    for ours, parts in _imports(source):
        if not ours:
            assert parts[0] in sys.stdlib_module_names | allowed | own, f"{source} imports {'.'.join(parts)}"


def test_the_import_rules_would_find_a_wrong_import() -> None:
    assert (False, ("sqlite_utils",)) in set(_imports("traces/store.py"))
    assert (True, ("errors",)) in set(_imports("traces/store.py"))
    assert (True, ("traces", "report")) in set(_imports("commands/stats.py"))
    assert _room(("traces", "report")) not in MAY_IMPORT["agent"]
    assert _room(("recorder", "drain")) not in MAY_IMPORT["replay"]
    assert _room(("replay", "story")) not in MAY_IMPORT["recorder"]


@sources
def test_a_file_says_what_it_owns_and_stays_short(source: str) -> None:
    text = (ROOT / source).read_text(encoding="utf-8")
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{source} does not say what it is about"
    assert len(text.splitlines()) <= 500


# Modules of the agent whose `except` clauses run before the program's first line, or decide whose an exception is.
NO_HANDLER_YET = {
    "recorder/agent/choice.py": "chooses the core before anything is hooked",
    "recorder/agent/cost.py": "measures on a tape of its own before anything is hooked",
    "recorder/agent/inject/sitecustomize.py": "starts the agent before the program's first line",
}
ASKS = {"pass_on", "is_ours", "of_handler", "cleared", "fault", "fail_call", "end_badly", "_close_raised", "by_handler"}


def _lets_handlers_through(clause: ast.ExceptHandler) -> bool:
    """Say whether a clause names its error and hands that to who knows whose it is, or raises it again whatever it does."""
    if isinstance(clause.body[-1], ast.Raise) and clause.body[-1].exc is None:
        return True
    calls = [node for node in ast.walk(ast.Module(clause.body, [])) if isinstance(node, ast.Call)]
    asked = [told for call in calls if getattr(call.func, "attr", getattr(call.func, "id", "")) in ASKS for told in call.args]
    return any(isinstance(told, ast.Name) and told.id == clause.name for told in asked)


@pytest.mark.parametrize("source", [source for source in SOURCES if source.startswith("recorder/agent/") and source not in NO_HANDLER_YET])
def test_no_except_clause_of_the_agent_keeps_what_a_signal_handler_of_the_program_raised(source: str) -> None:
    clauses = [node for node in ast.walk(ast.parse((ROOT / source).read_text(encoding="utf-8"))) if isinstance(node, ast.ExceptHandler)]
    kept = [clause.lineno for clause in clauses if not _lets_handlers_through(clause)]
    assert kept == [], f"{source}: name the error and give it to raised.pass_on in the clauses at lines {kept}"


def test_the_rule_for_except_clauses_would_find_one_that_keeps_everything() -> None:
    for text, passes in {
        "except OSError: pass": False,
        "except Exception as error: pass_on(another)": False,
        "except Exception as error: core.fault()": False,
        "except Exception as error: pass_on(error)": True,
        "except BaseException: close(); raise": True,
    }.items():
        (found,) = [node for node in ast.walk(ast.parse(f"try: pass\n{text}")) if isinstance(node, ast.ExceptHandler)]
        assert _lets_handlers_through(found) == passes, text


SQL = re.compile(
    r"\s*(SELECT\b.*\bFROM\b|INSERT\s+(OR\s+\w+\s+)?INTO\b|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\b|CREATE\s+(TABLE|VIEW|INDEX)\b)", re.DOTALL
)


@sources
def test_sql_lives_in_the_traces_room_only(source: str) -> None:
    nodes = ast.walk(ast.parse((ROOT / source).read_text(encoding="utf-8")))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    found = [text for text in texts if SQL.match(text)]
    if not source.startswith("traces/"):
        assert found == []


def test_the_front_door_loads_no_room_and_no_heavy_library() -> None:
    ask = "import sys; before = set(sys.modules); import sockreel.cli; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True, cwd="/").stdout.split()
    assert "sockreel.cli" in loaded
    ours = {name for name in loaded if name.startswith("sockreel")}
    assert ours == {"sockreel", "sockreel.cli", "sockreel.errors"}
    others = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"sockreel"}
    assert others <= {"click", "_distutils_hack", "colorama"}


def test_help_of_the_whole_loads_no_command() -> None:
    ask = "import sys; from sockreel.cli import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True, cwd="/")
    assert "compare" in done.stdout
    assert "sockreel.cli" in done.stderr.split()
    assert not [name for name in done.stderr.split() if name.startswith("sockreel.commands")]


def test_the_version_is_told_in_one_way() -> None:
    (version,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version == sockreel.__version__


def test_every_package_of_the_house_is_packed() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = set(re.findall(r'^  "(sockreel[\w.]*)",$', text, re.MULTILINE))
    folders = {path.parent.relative_to(ROOT).parts for path in _sources() if path.name == "__init__.py"}
    assert listed == {".".join(("sockreel", *parts)) for parts in folders}
