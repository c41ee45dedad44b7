"""The quiz in the page: it stops before a step, hides what comes, takes an answer, says why, and shows the step."""

from __future__ import annotations

from pathlib import Path

import pytest
from sockreel.replay.language import language
from sockreel.replay.page.document import shown_runs
from sockreel.replay.page.packing import unpack
from sockreel.replay.page.quizzed import QUESTIONS, SEED, pack_quiz
from sockreel.replay.page.serving import PageServer
from sockreel.replay.quiz import Question, in_time, make_quiz
from sockreel.replay.values import Window
from sockreel.tests.browser import Browser, chromium
from sockreel.tests.test_cli.quiz_scenes import hostile
from sockreel.traces import open_trace
from sockreel.traces.references import sample_path

from .pages import violations, write_page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason="needs Chromium")]
SAMPLE = "tutorial"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page with two samples."""
    return write_page(tmp_path_factory.mktemp("page") / "samples.html", sample_path(SAMPLE), sample_path("epoll_edge"))


@pytest.fixture(scope="module")
def questions() -> tuple[Question, ...]:
    """The questions that the page asks about the first of them."""
    with open_trace(sample_path(SAMPLE)) as trace:
        return in_time(make_quiz([(trace, trace.find_run())], language("en"), SEED, QUESTIONS)).questions


def _settle(browser: Browser) -> None:
    browser.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => done(1)))))")


def _open(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.until("document.getElementById('quiz-ask')")
    _settle(browser)


def _press(browser: Browser, *keys: str) -> None:
    for key in keys:
        browser.press(key)
        _settle(browser)


def _text(browser: Browser, selector: str) -> str:
    return str(browser.run(f"document.querySelector('{selector}')?.textContent ?? ''"))


def _shown(browser: Browser, selector: str) -> bool:
    return bool(browser.run(f"(document.querySelector('{selector}')?.getClientRects().length ?? 0) > 0"))


def test_every_question_is_asked_by_keys_alone_and_the_score_counts(
    browser: Browser, page: str, questions: tuple[Question, ...],
) -> None:
    _open(browser, f"{page}#play&run=1&quiz")
    assert len(questions) >= 8
    for number, question in enumerate(questions):
        assert _text(browser, "#quiz-ask") == question.ask
        offered = browser.run("[...document.querySelectorAll('.quiz-options span')].map((one) => one.textContent)")
        assert offered == [option.words for option in question.options]
        assert not _shown(browser, "#play-runs"), "what comes can be seen"
        assert browser.run("document.getElementById('play-bar').inert") is True
        wrong = number % 4 == 3
        chosen = (question.answer + 1) % len(question.options) if wrong else question.answer
        _press(browser, str(chosen + 1))
        assert _text(browser, "#quiz-panel [role=status]").startswith("✗ No. The answer is" if wrong else "✓ Right.")
        assert _text(browser, "#quiz-why") == question.because
        assert _shown(browser, "#play-runs")
        if question.bound_call_id is not None:
            here = browser.run("(() => { const {reel} = Player.deck(); return reel.line.call(reel.head.position - 1).id; })()")
            assert here == question.bound_call_id
        _press(browser, "Enter")
    right = sum(number % 4 != 3 for number in range(len(questions)))
    assert _text(browser, "#quiz-panel [role=status]") == f"All questions are answered: {right} of {len(questions)} right."
    _press(browser, "Enter")
    assert _text(browser, "#quiz-ask") == questions[0].ask
    assert browser.said == []
    assert browser.requested == [page]


def test_stepping_and_playing_stop_before_what_is_asked(browser: Browser, page: str, questions: tuple[Question, ...]) -> None:
    _open(browser, f"{page}#play&run=1&quiz")
    whole = sum(question.at_ns is None for question in questions)
    for _ in range(whole):
        _press(browser, "1", "Enter")
    asked = questions[whole]
    _press(browser, "1")
    later = next(question for question in questions[whole + 1:] if question.bound_call_id != asked.bound_call_id)
    browser.run("document.activeElement.blur(); 1")
    for _ in range(400):
        _press(browser, "ArrowDown")
        if not _shown(browser, "#play-runs"):
            break
    assert _text(browser, "#quiz-ask") == later.ask
    assert browser.run("Player.deck().reel.head.at") == later.at_ns
    _press(browser, "ArrowRight", "ArrowDown", " ")
    assert _text(browser, "#quiz-ask") == later.ask, "a key moved on past a question"
    assert browser.run("Player.deck().playing") is False


def test_escape_ends_it_and_the_run_can_be_seen_again(browser: Browser, page: str) -> None:
    _open(browser, f"{page}#play&run=1&quiz")
    _press(browser, "Escape")
    assert not _shown(browser, "#quiz-panel")
    assert _shown(browser, "#play-runs")
    state = browser.run("[Player.isOpen(), document.getElementById('play-bar').inert, document.activeElement.id]")
    assert state == [True, False, "play-quiz"]
    _press(browser, "Home", "ArrowRight", "ArrowRight")
    assert browser.run("Player.deck().reel.head.position") > 0
    assert not _shown(browser, "#quiz-panel")


def test_a_button_of_the_timeline_begins_it_and_language_and_run_can_be_changed(browser: Browser, page: str) -> None:
    browser.open(page)
    browser.until("document.body.dataset.ready")
    x, y = browser.run("(() => { const box = document.querySelector('#quiz').getBoundingClientRect();"
                       " return [box.x + box.width / 2, box.y + box.height / 2]; })()")
    browser.click(x, y)
    browser.until("document.getElementById('quiz-ask')")
    english = _text(browser, "#quiz-ask")
    browser.run("Main.speak(); 1")
    _settle(browser)
    chinese = _text(browser, "#quiz-ask")
    assert chinese != english and any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
    assert "第 1 题" in _text(browser, ".quiz-head")
    _press(browser, "1")
    browser.run("(() => { const list = document.getElementById('play-run'); list.value = '2';"
                " list.dispatchEvent(new Event('change')); })()")
    browser.until("Player.deck().reel.run.index === 1 && document.getElementById('quiz-next')")
    browser.run("document.getElementById('quiz-next').click(); 1")
    browser.until("document.getElementById('quiz-ask')")
    _settle(browser)
    assert "第 1 题" in _text(browser, ".quiz-head")
    browser.run("Main.speak(); 1")
    assert browser.said == []


def test_names_from_a_trace_are_text_in_it(browser: Browser, tmp_path: Path) -> None:
    hostile(tmp_path / "t.db")
    _open(browser, write_page(tmp_path / "t.html", tmp_path / "t.db") + "#play&run=1&quiz")
    seen = ""
    for _ in range(QUESTIONS):
        seen += _text(browser, "#quiz-panel")
        assert browser.run("document.querySelectorAll('#quiz-panel img, #quiz-panel script').length") == 0
        if not browser.run("Quiz.isAsking()"):
            break
        _press(browser, "1", "Enter")
    assert "<img src=x" in seen and "<script>alert(1)</script>" in seen
    assert browser.said == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_that_shuts_anybody_out(browser: Browser, page: str, theme: str) -> None:
    _open(browser, f"{page}#play&run=1&quiz")
    browser.run(f"Style.wear({str(theme == 'dark').lower()}); State.changed(); 1")
    for _ in range(2):
        for key in ("", "1"):
            if key:
                _press(browser, key)
            assert violations(browser) == []
        _press(browser, "Enter")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 720), (1920, 1080)])
def test_nothing_reaches_over_the_edge_of_the_screen(browser: Browser, page: str, width: int, height: int) -> None:
    browser.resize(width, height)
    try:
        _open(browser, f"{page}#play&run=1&quiz")
        for _ in range(6):
            for key in ("1", "Enter"):
                assert browser.run("document.documentElement.scrollWidth <= innerWidth")
                assert browser.run("[...document.querySelectorAll('#quiz-panel :is(button, h3, p)')].every((one) => {"
                                   " const box = one.getBoundingClientRect(); return box.left >= 0 && box.right <= innerWidth; })")
                _press(browser, key)
    finally:
        browser.resize(1280, 800)


def test_a_window_asks_only_of_what_it_shows() -> None:
    with open_trace(sample_path(SAMPLE)) as trace:
        run = trace.find_run()
        for window, fits in ((None, True), (Window(0, 1), False)):
            pack = pack_quiz(shown_runs([(trace, run, window)])[0])
            assert pack is not None
            moments = [question["at"] for question in unpack(pack)[0]["quiz"]["en"]]
            assert (None in moments) and (any(at is not None for at in moments) is fits)


def test_a_served_page_is_given_the_same_questions() -> None:
    with PageServer(sample_path(SAMPLE), lambda trace: trace.runs()) as server:
        kind, body = server.answer("/quiz", {"run": "0"})
    with open_trace(sample_path(SAMPLE)) as trace:
        assert (kind, body) == ("application/octet-stream", pack_quiz(shown_runs([(trace, trace.find_run(), None)])[0]))
