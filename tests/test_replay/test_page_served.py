"""The page as it is served: who gets an answer, what is in it, and that a browser shows the same as from a file."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sockreel.replay.page.packing import unpack
from sockreel.replay.page.serving import PageServer
from sockreel.tests.browser import Browser, chromium
from sockreel.tests.synthetic import MS, US, Recording, S
from sockreel.traces import open_trace
from sockreel.traces.excerpt import Excerpt

needs_chromium = pytest.mark.skipif(chromium() is None, reason="needs Chromium")


@contextmanager
def _served(path: Path, payload: bool = True) -> Iterator[PageServer]:
    with PageServer(path, lambda trace: trace.runs(), payload=payload) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server(lecture_file: Path) -> Iterator[PageServer]:
    """Serves the blocking and the nonblocking lecture."""
    with _served(lecture_file) as one:
        yield one


def _get(server: PageServer, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def test_it_answers_on_loopback_and_to_its_own_name_only(server: PageServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert _get(server, "/")[0] == 200
    assert _get(server, "/document", Host=f"localhost:{server.server_port}")[0] == 200
    for host in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1", f"127.0.0.1:{server.server_port + 1}", ""):
        for path in ("/", "/document", "/window?run=0&from=0&to=9&columns=9", "/find?run=0"):
            status, body, _ = _get(server, path, Host=host)
            assert (status, body) == (421, b"this page answers on loopback only"), (host, path)


def test_what_is_not_there_is_not_found_and_nothing_but_get_is_answered(server: PageServer) -> None:
    for path in ("/../etc/passwd", "/nothing", "/window", "/window?run=9&from=0&to=9&columns=9", "/window?run=0&from=9&to=0&columns=9",
                 "/window?run=0&from=0&to=x&columns=9", "/call?run=0&id=x", "/window?run=0&from=0&to=99999999999999999999&columns=9"):
        assert _get(server, path)[0] == 404, path
    nines = "9" * 5000
    for path in (f"/call?run=0&id={nines}", "/call?run=-1&id=1", "/call?run=0&id=9223372036854775808", f"/call?run={nines}&id=1",
                 "/find?" + "&".join(f"a{n}=1" for n in range(30)), "/call?run=0&id=%D9%A3", "/call?run=0&id=1_0"):
        assert _get(server, path)[0] == 404, path
    assert _get(server, "/", method="POST")[0] == 501
    assert _get(server, "/", method="HEAD")[1] == b""
    headers = _get(server, "/document")[2]
    said = tuple(headers[name] for name in ("Server", "Cache-Control", "X-Content-Type-Options", "Access-Control-Allow-Origin"))
    assert said == ("sockreel", "no-store", "nosniff", None)


def test_a_window_holds_the_calls_that_touch_it(server: PageServer, lecture_file: Path) -> None:
    _, body, _ = _get(server, "/window?run=1&from=200000000&to=230000000&columns=500")
    head, columns, _ = unpack(body)
    with open_trace(lecture_file) as trace:
        made = [row["id"] for row in Excerpt(trace, trace.find_run("nonblocking"), 200 * MS, 230 * MS).calls()]
    assert head["complete"]
    assert sorted(id_ for id_ in columns["id"] if id_ is not None) == made
    assert len(made) > 100


@pytest.mark.parametrize(("question", "wanted"), [
    ("operation=accept&outcome=ok", "operation = 'accept' AND outcome = 'ok'"),
    ("text=ECONNRESET", "errno = 104"),
    ("text=server.py:22", "line = 22"),
    ("text=50011&kind=moved", "connection_peer = '127.0.0.1:50011' AND outcome = 'ok' AND result > 0 AND operation IN ('recv', 'sendall')"),
    ("text=RED%07", "operation = 'sendall' AND result = 9"),
    ("socket=fd+5+ben", "fd = 5"),
    ("text=%2313000", "id = 13000"),
    ("text=no+such+thing", "0"),
])
def test_a_search_finds_what_a_query_finds(server: PageServer, lecture_file: Path, question: str, wanted: str) -> None:
    columns = unpack(_get(server, f"/find?run=1&{question}")[1])[1]
    with open_trace(lecture_file) as trace:
        made = [row["id"] for row in trace.rows(f"SELECT id FROM call_log WHERE run = 'nonblocking' AND {wanted} ORDER BY id")]
    assert sorted(id_ for id_ in columns["id"] if id_ is not None) == made[:1000]
    assert bool(made) == (wanted != "0")


def test_payloads_stay_where_they_are_if_they_are_not_wanted(lecture_file: Path) -> None:
    with _served(lecture_file, payload=False) as server:
        for path in ("/window?run=0&from=0&to=2000000000&columns=100", "/find?run=0&text=hello"):
            head, columns, rest = unpack(_get(server, path)[1])
            assert (columns["payload_call"], rest) == ([], b"")
            assert head["complete"]


def test_the_command_prints_where_it_serves_and_ends_with_an_interrupt(lecture_file: Path) -> None:
    command = [sys.executable, "-m", "sockreel", "serve", f"{lecture_file}#blocking"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        connection = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=30)
        connection.request("GET", "/document")
        document = unpack(connection.getresponse().read())[0]
        connection.close()
        assert [run["name"] for run in document["runs"]] == ["blocking"]
        process.send_signal(2)
        assert process.wait(30) == 0


@pytest.mark.slow
@needs_chromium
def test_a_browser_shows_the_same_shares_as_the_trace_has(server: PageServer, browser: Browser) -> None:
    browser.open(server.address)
    whole = browser.run("State.runs[1].threads[0].spent(0, 2e9).map(Math.round)")
    with open_trace(server.path) as trace:
        rows = list(Excerpt(trace, trace.find_run("nonblocking")).calls())
    assert whole[1] == sum(row["duration_ns"] for row in rows if row["outcome"] == "would_block")
    browser.run("State.show(2e8, 2.1e8); 1")
    browser.run("Find.set({q: 'RED'})")
    browser.until("document.getElementById('found').textContent.includes('match')")
    browser.press("/")
    browser.run("document.getElementById('find-next').click()")
    browser.until("State.selected !== null")
    assert browser.said == []
    assert all(one.startswith(server.address) for one in browser.requested)


@pytest.mark.slow
@needs_chromium
def test_of_many_calls_the_page_asks_for_what_is_in_view(
    server: PageServer, browser: Browser, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sockreel.replay.page.serving.CALLS_AT_ONCE", 500)
    browser.open(server.address)
    assert browser.run("State.runs[1].complete") is False
    with open_trace(server.path) as trace:
        rows = list(Excerpt(trace, trace.find_run("nonblocking")).calls())
    whole = browser.run("State.runs[1].threads[0].spent(0, 2e9)[1]")
    assert whole == pytest.approx(sum(row["duration_ns"] for row in rows if row["outcome"] == "would_block"), rel=1e-9)
    browser.run("State.show(1.4e9 - State.offset(State.runs[1]), 1.402e9 - State.offset(State.runs[1])); 1")
    browser.until("State.runs[1].complete && State.runs[1].head.from > 1e9")
    seen = browser.run("State.runs[1].lanes.get('thread2').touching(1.4e9, 1.402e9).length")
    assert seen == len([row for row in rows if row["started_ns"] < 1402 * MS and row["started_ns"] + row["duration_ns"] > 1400 * MS])
    moved = next(row["id"] for row in rows if row["operation"] == "recv" and row["outcome"] == "ok")
    browser.open(f"{server.address}#call=2.{moved}")
    browser.until("State.selected !== null")
    assert browser.run("[State.selected.run.name, State.selected.operation, State.selected.id]") == ["nonblocking", "recv", moved]


@needs_chromium
def test_a_chosen_call_stays_chosen_seen_from_afar_and_what_was_seen_is_not_asked_for_again(
    server: PageServer, browser: Browser, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sockreel.replay.page.serving.CALLS_AT_ONCE", 500)
    browser.open(server.address)
    near = "1.4e9 - State.offset(State.runs[1]), 1.402e9 - State.offset(State.runs[1])"
    browser.run(f"State.show({near}); 1")
    browser.until("State.runs[1].complete && State.runs[1].head.from > 1e9")
    browser.run("State.select(State.runs[1], State.runs[1].kinds.findIndex((kind) => kind === 2)); 1")
    browser.until("!document.getElementById('aside').hidden")
    chosen = browser.run("[State.selected.id, document.getElementById('details').textContent]")
    browser.requested.clear()
    browser.run("State.fit(); 1")
    browser.until("State.runs[1].complete === false && Remote.suffices(State.runs[1])")
    assert browser.run("[State.selected.id, document.getElementById('details').textContent]") == chosen
    assert browser.run("[State.from, State.to]") == browser.run("[State.first, State.last]")
    assert browser.run("State.selected.index") == -1
    browser.run(f"State.show({near}); 1")
    browser.until("State.runs[1].complete && State.selected.index >= 0")
    assert browser.run("[State.selected.id, document.getElementById('details').textContent]") == chosen
    assert browser.requested == []
    assert browser.said == []


@needs_chromium
def test_of_windows_that_were_seen_only_so_many_are_kept(server: PageServer, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sockreel.replay.page.serving.CALLS_AT_ONCE", 500)
    browser.open(server.address)
    browser.run("""(async () => {
      const run = State.runs[1];
      for (let n = 0; n < 40; n++) Remote.keep(run, await Remote.get(`window?run=1&from=${n * 1000}&to=${n * 1000 + 500}&columns=10`));
    })()""")
    kept = browser.run("Remote.kept().map((head) => head.from)")
    assert 2 <= len(kept) < 30
    assert kept[-1] == 39_000


@pytest.mark.slow
@needs_chromium
def test_a_run_that_is_still_recorded_grows_on_the_page(browser: Browser, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "t.db")
    run = recording.run("live", command=json.dumps(["server.py"]))
    thread, socket = run.thread(), run.socket(4)
    run.call(thread, "recv", socket, at_ns=MS, duration_ns=5 * US, payload=b"one")
    recording.connection.execute("COMMIT")
    with _served(tmp_path / "t.db") as server:
        browser.open(server.address)
        assert browser.run("State.runs[0].starts.length") == 1
        recording.connection.execute("BEGIN")
        run.call(thread, "recv", socket, at_ns=S, duration_ns=5 * US, payload=b"two")
        recording.connection.execute("COMMIT")
        browser.until("State.runs[0].starts.length === 2 && State.to >= 1e9")
        recording.connection.execute("BEGIN")
        run.finish(2 * S)
        recording.connection.execute("COMMIT")
        browser.until("State.runs[0].known.running === false && State.to === 2e9")
        assert browser.said == []
    recording.connection.close()
