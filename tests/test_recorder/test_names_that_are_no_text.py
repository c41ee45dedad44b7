"""Names that are bytes and no text, in sockets, files and arguments, are recorded like any other."""

from __future__ import annotations

import json
import os
import subprocess

from .recording import SOCKREEL, Recorder, bare


def test_a_path_that_is_no_utf8_is_told_with_its_bytes(record: Recorder) -> None:
    done = record(record.script("""
        import os, socket
        path = os.fsencode(os.getcwd()) + b"/\\xff\\xc3\\xa4"
        for address in (path, b"\\0abstract-%d-\\xfe" % os.getpid(), b"\\0nul\\0inside-%d" % os.getpid()):
            with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
                server.bind(address)
                server.listen()
                client.connect(address)
                conn, _ = server.accept()
                conn.send(b"x")
                print(client.recv(1))
                conn.close()
    """))  # fmt: skip
    assert (done.status, done.out) == (0, "b'x'\n" * 3), done
    assert done.outcomes(operation="connect") == [("connect", "ok")] * 3
    path, abstract, nul = [row["peer"] for row in done.calls(operation="connect")]
    assert path == f"unix:{record.folder}/\\xffä"
    assert abstract.startswith("unix:@abstract-") and abstract.endswith("-\\xfe") and nul.startswith("unix:@nul")


def test_a_script_and_arguments_that_are_no_utf8_are_recorded(record: Recorder) -> None:
    made = record.script("""
        import json, os, socket, sys
        a, b = socket.socketpair()
        a.send(b"x")
        print(json.dumps([os.fsencode(word).hex() for word in sys.argv]))
    """)
    script = record.folder / os.fsdecode(b"\xff.py")
    made.rename(script)
    argument = os.fsdecode(b"a\xfe")
    done = record(script, argument)
    assert done.out == bare(script, argument).stdout
    assert json.loads(done.out)[1] == "61fe"
    assert [row["file"] for row in done.calls()] == [f"{record.folder}/\\xff.py"]
    assert [os.fsencode(word) for word in json.loads(done.run["command"])[-2:]] == [os.fsencode(script), b"a\xfe"]
    for command in ("show", "stats", "runs", "check"):
        said = subprocess.run([*SOCKREEL, command, str(done.path)], capture_output=True, text=True)
        assert (said.returncode, said.stderr) == (0, ""), said
