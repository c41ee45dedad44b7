"""A quiz on paper: questions with boxes to mark, and the key on a page of its own; as HTML, Markdown and plain text.

Owns how the sheets look. What was recorded is text in them and nothing else: escaped in HTML, and in Markdown.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Callable, Iterator

from rich.cells import cell_len

from ..language import Language, wrapped
from ..words import fit, moment
from .choosing import Quiz
from .values import LETTERS, CodeLine, Question

_TEXT_COLUMNS, _HALF_COLUMNS = 78, 46
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~$>:-])")
_STYLE = """
@page { size: A4; margin: 13mm 16mm; }
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 48rem; padding: 1.5rem; background: #fff; color: #111;
  font: 10pt/1.4 system-ui, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 0 0 .6rem; }
.fields { display: flex; gap: 1.2rem; margin: 1rem 0; }
.fields span { border-bottom: 1px solid #111; flex: 1; padding-bottom: .1rem; }
.fields span:last-child { flex: 0 0 8rem; }
.quiet { color: #444; font-size: .9rem; margin: .2rem 0; }
ol.questions { list-style: none; margin: 1rem 0 0; padding: 0; }
.question { border-top: 1px solid #999; padding: .6rem 0 .8rem; break-inside: avoid; page-break-inside: avoid; }
.question h2 { font-size: 1.05rem; margin-bottom: .35rem; display: flex; justify-content: space-between; gap: 1rem; }
.question h2 .quiet { font-weight: normal; }
table.code { border-collapse: collapse; width: 100%; margin: 0 0 .6rem; border: 1px solid #bbb; background: #f7f7f7;
  font: 8.5pt/1.35 ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; }
table.code caption { text-align: left; font-size: 9pt; color: #444; padding: 0 0 .15rem; }
table.code td { padding: 0 .5rem; vertical-align: top; white-space: pre-wrap; overflow-wrap: anywhere; }
table.code td:first-child { width: 1%; text-align: right; color: #444; white-space: pre; border-right: 1px solid #bbb; }
table.code tr.here td { background: #e2e2e2; font-weight: bold; }
ul.scene { margin: 0 0 .6rem; padding-left: 1.2rem; }
.ask { font-weight: bold; margin: 0 0 .4rem; }
ol.options { list-style: none; margin: 0; padding: 0; }
ol.options.short { display: grid; grid-template-columns: 1fr 1fr; column-gap: 1.5rem; }
ol.options li { display: flex; gap: .6rem; align-items: baseline; padding: .1rem 0; }
.box { flex: none; width: .85em; height: .85em; border: 1.5px solid #111; align-self: center; }
.letter { flex: none; width: 1.1rem; font-weight: bold; }
.mono { font-family: ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace; font-size: .92em; overflow-wrap: anywhere; }
.key { break-before: page; page-break-before: always; border-top: 2px solid #111; padding-top: 1rem; margin-top: 2rem; }
.key table { border-collapse: collapse; width: 100%; font-size: 9.5pt; }
.key th, .key td { text-align: left; vertical-align: top; padding: .3rem .5rem .3rem 0; border-bottom: 1px solid #bbb; }
.key tr { break-inside: avoid; page-break-inside: avoid; }
.key th { white-space: nowrap; }
.key td:nth-child(-n+2) { white-space: nowrap; font-weight: bold; }
@media print { body { max-width: none; padding: 0; } .key { border-top: 0; padding-top: 0; margin-top: 0; } }
"""


def _about(quiz: Quiz, language: Language) -> str:
    return language.say("Everything here happened in recorded runs: {runs}. Mark one answer to each question.",
                        runs=language.say(", ").join(dict.fromkeys(quiz.runs)))


def _again(quiz: Quiz, language: Language) -> str:
    return language.say("Made by sockreel quiz with --seed {seed}. Numbers of calls are those of the trace.", seed=quiz.seed)


def _when(question: Question, quiz: Quiz) -> str:
    """Return the run and the moment of a question."""
    at = moment(question.at_ns, 1_000_000) if question.at_ns is not None else ""
    run = question.run if len(set(quiz.runs)) > 1 or not at else ""
    return " · ".join(filter(None, (run, at)))


def html_sheet(quiz: Quiz, language: Language) -> str:
    """Return a sheet as a page that stands alone: no script, no connection, its own style only."""
    say, text = language.say, html.escape
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = text(say("A quiz on sockets"))
    fields = "".join(f"<span>{text(words)}</span>" for words in (say("Name"), say("Date"), say("Points: /{all}", all=len(quiz.questions))))
    questions = "".join(_html_question(question, number, quiz, language) for number, question in enumerate(quiz.questions, 1))
    key = "".join(
        f"<tr><td>{number}</td><td>{question.letter}</td><td>{text(question.right.words)}</td><td>{text(question.because)}</td></tr>\n"
        for number, question in enumerate(quiz.questions, 1))
    heads = "".join(f'<th scope="col">{text(words)}</th>' for words in (say("No."), say("Right"), say("Answer"), say("Why")))
    return (
        f'<!DOCTYPE html>\n<html lang="{language.code}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n<style>{_STYLE}</style>\n'
        f'</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p class="quiet">{text(_about(quiz, language))}</p>\n'
        f'<div class="fields">{fields}</div>\n<ol class="questions">\n{questions}</ol>\n'
        f'<section class="key">\n<h2>{text(say("Key"))}</h2>\n<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{key}</tbody>\n</table>\n'
        f'<p class="quiet">{text(_again(quiz, language))}</p>\n</section>\n</main>\n</body>\n</html>\n')


def _html_question(question: Question, number: int, quiz: Quiz, language: Language) -> str:
    text = html.escape
    scene = "".join(f"<li>{text(sentence)}</li>" for sentence in question.scene)
    options = "".join(
        f'<li><span class="box"></span><span class="letter">{letter}</span><span{_monospaced(option.key)}>{text(option.words)}</span></li>'
        for letter, option in zip(LETTERS, question.options, strict=False))
    return (
        f'<li class="question"><h2>{text(language.say("Question {n}", n=number))}'
        f'<span class="quiet">{text(_when(question, quiz))}</span></h2>\n{_html_code(question)}'
        + (f'<ul class="scene">{scene}</ul>\n' if scene else "")
        + f'<p class="ask">{text(question.ask)}</p>\n<ol class="options{_columns(question)}">{options}</ol></li>\n')


def _columns(question: Question) -> str:
    """Return the class of answers that are short enough to stand in two columns."""
    return " short" if max(cell_len(option.words) for option in question.options) <= _HALF_COLUMNS else ""


def _monospaced(key: str) -> str:
    return ' class="mono"' if key.startswith("line:") else ""


def _html_code(question: Question) -> str:
    if not question.code:
        return ""
    rows = "".join(
        f'<tr{_here(line)}><td>{"▶ " if line.here else ""}{line.number}</td><td>{html.escape(text)}</td></tr>'
        for line, text in _dedented(question.code))
    return f'<table class="code"><caption>{html.escape(question.file)}</caption>{rows}</table>\n'


def _here(line: CodeLine) -> str:
    return ' class="here"' if line.here else ""


def _dedented(code: tuple[CodeLine, ...]) -> list[tuple[CodeLine, str]]:
    """Return lines without what all of them are indented by."""
    indent = min((len(line.text) - len(line.text.lstrip()) for line in code if line.text.strip()), default=0)
    return [(line, line.text[indent:]) for line in code]


def markdown_sheet(quiz: Quiz, language: Language) -> str:
    """Return a sheet as Markdown, its key behind a page break."""
    return "\n".join(_markdown_lines(quiz, language)) + "\n"


def _plain_markdown(text: str) -> str:
    """Return a text that Markdown takes as it is."""
    return html.escape(_MARKDOWN.sub(r"\\\1", text), quote=False)


def _markdown_lines(quiz: Quiz, language: Language) -> Iterator[str]:
    say, plain = language.say, _plain_markdown
    yield f"# {plain(say('A quiz on sockets'))}"
    yield f"\n{plain(_about(quiz, language))}\n"
    yield f"{say('Name')}: ____________________ {say('Date')}: ____________ {say('Points: /{all}', all=len(quiz.questions))}\n"
    for number, question in enumerate(quiz.questions, 1):
        yield f"## {number}. {plain(_when(question, quiz))}\n"
        if question.code:
            rows = [f"{'>' if line.here else ' '} {line.number:>4}  {text}".rstrip() for line, text in _dedented(question.code)]
            fence = "`" * max(3, 1 + max((len(run) for row in rows for run in re.findall("`+", row)), default=0))
            yield "\n".join((plain(question.file), "", fence + "text", *rows, fence, ""))
        for sentence in question.scene:
            yield f"- {plain(sentence)}"
        yield f"\n**{plain(question.ask)}**\n"
        for letter, option in zip(LETTERS, question.options, strict=False):
            yield f"- [ ] **{letter}** {plain(option.words)}"
        yield ""
    yield '<div style="break-before: page; page-break-before: always"></div>\n'
    yield f"# {say('Key')}\n"
    for number, question in enumerate(quiz.questions, 1):
        yield f"{number}. **{question.letter}** {plain(question.right.words)}  \n   {plain(question.because)}"
    yield f"\n{plain(_again(quiz, language))}"


def text_sheet(quiz: Quiz, language: Language) -> str:
    """Return a sheet as plain text of at most 78 columns, a form feed before its key."""
    return "\n".join(_text_lines(quiz, language)) + "\n"


def _text_lines(quiz: Quiz, language: Language) -> Iterator[str]:
    say = language.say
    yield say("A quiz on sockets")
    yield ""
    yield from wrapped(_about(quiz, language), _TEXT_COLUMNS)
    yield f"\n{say('Name')}: ______________________  {say('Date')}: ____________  {say('Points: /{all}', all=len(quiz.questions))}"
    for number, question in enumerate(quiz.questions, 1):
        yield f"\n{'-' * _TEXT_COLUMNS}"
        yield fit(f"{say('Question {n}', n=number)}  {_when(question, quiz)}", _TEXT_COLUMNS).rstrip()
        yield ""
        if question.code:
            yield fit(question.file, _TEXT_COLUMNS).rstrip()
            for line, text in _dedented(question.code):
                yield fit(f"{'>' if line.here else ' '} {line.number:>4}  {text}", _TEXT_COLUMNS).rstrip()
            yield ""
        for sentence in question.scene:
            yield from _hanging("- ", sentence)
        yield ""
        yield from wrapped(question.ask, _TEXT_COLUMNS)
        for letter, option in zip(LETTERS, question.options, strict=False):
            yield from _hanging(f"  [ ] {letter}  ", option.words)
    yield f"\f{say('Key')}"
    yield ""
    for number, question in enumerate(quiz.questions, 1):
        yield from _hanging(f"{number:>3}. {question.letter}  ", f"{question.right.words}.")
        yield from _hanging("         ", question.because)
    yield ""
    yield from wrapped(_again(quiz, language), _TEXT_COLUMNS)


def _hanging(first: str, text: str) -> Iterator[str]:
    for number, row in enumerate(wrapped(text, _TEXT_COLUMNS - len(first))):
        yield (first if not number else " " * len(first)) + row


SHEETS: dict[str, Callable[[Quiz, Language], str]] = {
    ".html": html_sheet, ".htm": html_sheet, ".md": markdown_sheet, ".txt": text_sheet,
}
"""How a sheet is made, by the ending of its file."""
