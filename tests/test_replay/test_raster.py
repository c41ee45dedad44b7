"""The timeline as pixels, and in motion."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from sockreel.replay.exports import raster
from sockreel.replay.exports.raster import FRAMES, PictureError, write_apng, write_gif, write_png, write_webp
from sockreel.tests.synthetic import MS
from sockreel.traces import open_trace
from sockreel.traces.excerpt import Excerpt

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("resvg_py")


def _made(path: Path, writer: object, name: str = "blocking", end_ns: int = 1600 * MS) -> bytes:
    out = io.BytesIO()
    with open_trace(path) as trace:
        writer([Excerpt(trace, trace.find_run(name), 0, end_ns)], out)  # type: ignore[operator]
    return out.getvalue()


def test_a_png_shows_the_colours_of_what_happened(lecture_file: Path) -> None:
    picture = Image.open(io.BytesIO(_made(lecture_file, write_png))).convert("RGB")
    colours = {colour for _, colour in picture.getcolors(1 << 20)}
    assert (0xD5, 0x5E, 0x00) in colours  # blocked
    assert (0xFF, 0xFF, 0xFF) in colours
    assert picture.width > 1_000


@pytest.mark.slow
@pytest.mark.parametrize(("writer", "kind"), [(write_gif, "GIF"), (write_apng, "PNG"), (write_webp, "WEBP")])
def test_slow_motion_has_all_its_frames_and_its_hand_moves(lecture_file: Path, writer: object, kind: str) -> None:
    picture = Image.open(io.BytesIO(_made(lecture_file, writer)))
    assert picture.format == kind
    assert picture.n_frames > FRAMES * 0.9  # equal neighbours may be joined
    assert picture.info.get("loop", 0) == 0
    picture.seek(3)
    early = picture.convert("RGB").copy()
    picture.seek(picture.n_frames - 1)
    late = picture.convert("RGB")
    assert early.tobytes() != late.tobytes()
    blocked = [sum(count for count, (red, green, blue) in frame.getcolors(1 << 24) if red > 190 and 70 < green < 110 and blue < 40)
               for frame in (early, late)]
    assert blocked[1] > 3 * max(1, blocked[0])  # what lies ahead of the hand is pale


def test_without_the_libraries_one_line_says_what_to_install(lecture_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(raster, "import_module", missing)
    with pytest.raises(PictureError, match=r"pip install 'sockreel\[pictures\]'"):
        _made(lecture_file, write_png)
