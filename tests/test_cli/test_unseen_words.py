"""What a run could not see is stored in English, and told in the language that is spoken: the forms are those that the recorder writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sockreel.recorder.draining.known import KNOWN
from sockreel.replay.blindness import spot_words
from sockreel.replay.language import speaking
from sockreel.tests.commandline import CommandLine
from sockreel.tests.synthetic import MS, Recording
from sockreel.tests.test_cli.test_languages import english_words

SPOTS = [
    ("3 TCP connections moved 12,000 bytes in calls that were not recorded (by peer: 127.0.0.1:60182: 4,000, and 2 more), "
     "as the kernel counted"),
    "a TCP connection moved 7 bytes in calls that were not recorded (by peer: one: 7), as the kernel counted",
    "a socket was opened outside of Python's socket module, and what it did is not in this trace: tcp listening on 0.0.0.0:80",
    "sleep 10 (pid 77) was not recorded: no Python that could be reached",
    "nothing was recorded: no Python 3.8 or newer started in ls (or it ended before that, or was kept from reading PYTHONPATH)",
    "what happened after 1.5 s: no room is left in /tmp/x",
    "a file object was opened on a socket's descriptor (os.fdopen): what it reads and writes is not seen",
    *(known.sentence for known in KNOWN),
]


@pytest.mark.parametrize("spot", SPOTS)
def test_a_blind_spot_of_a_known_form_is_told_in_chinese_with_all_its_names_and_numbers(spot: str) -> None:
    with speaking("zh"):
        said = spot_words(spot)
    assert re.search("[\u4e00-\u9fff]{2}", said) and english_words(said) == []
    assert set(re.findall(r"\d[\d,.:]*\d|/tmp/x", spot)) <= set(re.findall(r"\d[\d,.:]*\d|/tmp/x", said))
    with speaking("en"):
        assert spot_words(spot) == spot


@pytest.mark.parametrize("spot", ["child 77 was started with python -I", "", "{name} was loaded", "<b> was loaded, {x}: y\n{z}"])
def test_a_sentence_of_no_known_form_is_told_as_it_was_stored_and_harms_nothing(spot: str) -> None:
    with speaking("zh"):
        assert spot_words(spot) == spot or "{x}" in spot_words(spot)


def test_every_command_that_tells_of_it_does_so_in_its_language(sockreel: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with Recording(path) as recording:
        run = recording.run("one", blind_spots=json.dumps([KNOWN[0].sentence]))
        run.call(run.thread(), "recv", run.socket(4), at_ns=10 * MS, asked=9, payload=b"x")
        run.finish(50 * MS)
    for words in (["show"], ["explain"], ["compare", f"{path}#one"], ["export", "--format", "svg", "-o", "-"]):
        said = sockreel(words[0], str(path), *words[1:], "--lang", "zh")
        assert "加载了 uvloop，C 语言的事件循环（libuv）" in re.sub(r"\n\s+", "", said.out), words
        assert KNOWN[0].sentence in " ".join(sockreel(words[0], str(path), *words[1:], "--lang", "en").out.split()), words


def test_a_picture_in_chinese_has_no_english_words_but_names(sockreel: CommandLine) -> None:
    for sample in ("sample:nonblocking_sleep-reset", "sample:io_uring"):
        said = sockreel("export", sample, "--format", "svg", "--lang", "zh", "-o", "-")
        texts = re.findall(r"<(?:text|title)[^>]*>([^<]*)<", said.out)
        assert "客户等待回答" in texts and "阻塞在调用中" in texts
        assert [text for text in texts if english_words(text)] == []
