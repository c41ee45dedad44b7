"""`--lang`: what a command says is in one language, and as wide as the screen at most."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len
from sockreel.tests.commandline import CommandLine

RUNS = ["sample:blocking", "sample:tutorial", "sample:nonblocking_sleep-reset", "sample:epoll_edge", "sample:io_uring",
        "sample:signal_driven", "sample:asyncio_streams-reset"]
ENGLISH = re.compile(
    r"(?<![\w./'\\-])(?:the|and|of|were|was|its|that|with|while|calls?|in|by|after|from|for|waited|none|lost)(?![\w(./'\\-])")
"""Words of English sentences: names of operations, outcomes, rules, files and what programs said are none of them."""


def english_words(text: str) -> list[str]:
    """Return English words outside of quotes and lines of source."""
    plain = re.sub(r"'(?:[^'\\]|\\.)*'?\S*|\S+\.py:\d+  .*", "", text)
    return ENGLISH.findall(plain)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("words", [["show"], ["show", "--calls", "--lines", "60"], ["explain"], ["tell", "--lines", "60"]], ids=" ".join)
def test_in_chinese_no_english_sentence_is_left_and_nothing_is_too_wide(sockreel: CommandLine, run: str, words: list[str]) -> None:
    for width in (60, 100):
        without = [] if words[0] == "explain" else ["--no-payload"]
        said = sockreel(words[0], run, *words[1:], "--lang", "zh", "--width", str(width), *without)
        assert said.status == 0
        assert re.search("[\u4e00-\u9fff]{2}", said.out)
        assert english_words(said.out) == []
        assert max(map(cell_len, said.out.splitlines())) <= width


@pytest.mark.parametrize("runs", [RUNS[:2], RUNS[:5]], ids=["two", "five"])
def test_in_chinese_a_comparison_has_no_english_sentence_left(sockreel: CommandLine, runs: list[str]) -> None:
    for width in (80, 120):
        said = sockreel("compare", *runs, "--lang", "zh", "--width", str(width))
        assert said.status == 0
        assert english_words(said.out) == []
        assert max(map(cell_len, said.out.splitlines())) <= width


@pytest.mark.parametrize("run", RUNS)
def test_in_chinese_figures_have_no_english_sentence_left_and_json_is_the_same(sockreel: CommandLine, run: str) -> None:
    for words in (["stats", run, "--phases"], ["runs", run], ["runs", "--sample"]):
        said = sockreel(*words, "--lang", "zh")
        assert said.status == 0 and re.search("[\u4e00-\u9fff]{2}", said.out)
        assert english_words(said.out) == [], words
        assert sockreel(*words, "--lang", "zh", "--json").out == sockreel(*words, "--lang", "en", "--json").out


def test_a_listing_in_chinese_tells_what_the_english_one_tells(sockreel: CommandLine) -> None:
    chinese, english = (sockreel("stats", "sample:nonblocking", "--lang", code).out for code in ("zh", "en"))
    assert re.findall(r"\d[\d,.]*", chinese.replace("，", " ")) and len(chinese.splitlines()) == len(english.splitlines())
    for number in ("891,784", "352,174", "SIGINT"):
        assert number in chinese and number in english
    assert "无果" in chinese and "合计" in chinese and "total" in english


def test_the_words_are_english_again_afterwards(sockreel: CommandLine) -> None:
    before = sockreel("explain", "--rules", "--lang", "en").out
    assert sockreel("explain", "--rules", "--lang", "zh").out != before
    assert sockreel("explain", "--rules", "--lang", "en").out == before
    assert english_words(before)
