"""The page's own Chinese words agree with those of the terminal: one word for each thing."""

from __future__ import annotations

import re
from pathlib import Path

from sockreel.replay.compare import compare_stories
from sockreel.replay.language import language
from sockreel.replay.story import load_story
from sockreel.traces import open_trace
from sockreel.traces.references import sample_path

PAGE = Path(__file__).resolve().parents[2] / "replay" / "page"


def chinese() -> str:
    """Return the Chinese half of the page's words."""
    return (PAGE / "words.js").read_text(encoding="utf-8").partition("\n  zh: {")[2]


def test_the_figures_of_a_comparison_have_the_same_chinese_names_on_the_page_as_in_the_terminal() -> None:
    with open_trace(sample_path("select")) as trace:
        figures = compare_stories((load_story(trace, trace.find_run()),)).figures
    listed = chinese().partition("figure_names: {")[2].partition("}")[0]
    names = dict(re.findall(r'(\w+): "([^"]+)"', listed))
    assert {figure.key for figure in figures} == set(names)
    assert {figure.key: language("zh").say(figure.name) for figure in figures} == names


def test_what_is_fruitless_and_what_is_a_spin_have_words_of_their_own() -> None:
    words = dict(re.findall(r'(\w+): "([^"]+)"', chinese().partition("figure_names")[0]))
    assert words["fruitless"] == language("zh").say("fruitless") != words["spin"]
    assert words["clients"] == language("zh").say("clients")
