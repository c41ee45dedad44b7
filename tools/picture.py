"""Write a terminal picture of a command as SVG: what it printed, in the colours it printed.

    python tools/picture.py docs/lab.svg 100 sockreel compare lab.db

Owns nothing but the drawing; the picture in README is made with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from html import escape
from pathlib import Path

from rich.cells import cell_len
from rich.color import Color
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

_CHAR, _LINE, _PAD = 8.4, 18.0, 14.0


def picture(command: list[str], width: int) -> str:
    """Run a command at a width and return what it printed as one SVG, fonts left to the reader's system."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(width), "TERM": "xterm-256color"}
    printed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout.decode()
    return drawn(printed.rstrip("\n"), width)


def drawn(printed: str, width: int) -> str:
    """Return what a terminal of so many columns shows as one SVG; its colours are ANSI sequences."""
    lines = Text.from_ansi(printed).split("\n")
    high = len(lines) * _LINE + 2 * _PAD
    wide = width * _CHAR + 2 * _PAD
    theme = SVG_EXPORT_THEME
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" font-size="14"'
        ' font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace">',
        f'<rect width="100%" height="100%" rx="8" fill="{theme.background_color.hex}"/>',
    ]
    for number, line in enumerate(lines):
        y = _PAD + (number + 0.75) * _LINE
        at = 0
        for part in line.divide(sorted({edge for span in line.spans for edge in (span.start, span.end)})):
            style = Style.combine([Style(), *(span.style for span in part.spans if isinstance(span.style, Style))])
            cells = cell_len(part.plain)
            if part.plain.strip():
                rows.append(
                    f'<text x="{_PAD + at * _CHAR:.1f}" y="{y:.1f}" textLength="{cells * _CHAR:.1f}" xml:space="preserve"'
                    f'{_look(style)}>{escape(part.plain)}</text>'
                )
            at += cells
    return "\n".join([*rows, "</svg>", ""])


def _look(style: Style) -> str:
    theme = SVG_EXPORT_THEME
    color = style.color or Color.default()
    red, green, blue = color.get_truecolor(theme) if not color.is_default else theme.foreground_color
    look = f' fill="#{red:02x}{green:02x}{blue:02x}"'
    if style.bold:
        look += ' font-weight="bold"'
    if style.dim:
        look += ' opacity="0.65"'
    return look


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(sys.argv[3:], int(sys.argv[2])), encoding="utf-8")
