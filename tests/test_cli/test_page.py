"""`compare --html`: the page beside the comparison."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sockreel.tests.commandline import CommandLine


def test_compare_writes_the_page_of_all_runs_and_still_compares(lab: Path, sockreel: CommandLine, tmp_path: Path) -> None:
    page = tmp_path / "lab.html"
    said = sockreel("compare", lab, "--html", page)
    assert said.status == 0
    assert said.out == sockreel("compare", lab).out
    assert said.err == f"sockreel: {page}: the page; payloads included\n"
    assert page.read_text().count('class="pack"') == 3
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    again = sockreel("compare", lab, "--html", page)
    assert (again.status, "--force" in again.err, again.out) == (1, True, "")
    assert "without payloads" in sockreel("compare", lab, "--html", page, "--force", "--no-payload").err


def test_the_page_is_never_written_over_the_trace(lab: Path, sockreel: CommandLine) -> None:
    before = lab.read_bytes()
    assert sockreel("compare", lab, "--html", lab, "--force").status == 2
    assert lab.read_bytes() == before


@pytest.mark.parametrize("arguments", [("serve", "no-such.db"), ("compare", "no-such.db", "--html", "x.html")])
def test_a_trace_that_is_not_there_is_one_line(arguments: tuple[str, ...], sockreel: CommandLine, tmp_path: Path) -> None:
    assert "no such file" in sockreel(*arguments).failure
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_one_line(lab: Path, sockreel: CommandLine) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = sockreel("serve", lab, "--port", str(taken.getsockname()[1]))
    assert (said.status, said.out) == (1, "")
    assert "cannot listen" in said.err
