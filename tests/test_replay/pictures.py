"""Compares pictures of the page with those that were looked at and kept: by what is seen, not by pixels.

A picture is taken in tiles of some pixels, each by its mean colour. Letters are drawn a little differently by every font and
rasteriser: a tile of text keeps its mean, or moves by a tile. A lane that is missing, moved, or of another colour changes many
tiles of colour, and of those hardly any may differ. Kept pictures have few colours, to be small.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

GOLD = Path(__file__).parent / "gold"
TILE = 6  # pixels: less than half of the lowest lane
KEPT_COLOURS = 96
_COLOURFUL = 28  # of 255, between the strongest and the weakest channel
_SAME_COLOUR = 44  # of 255, in each channel
_SAME_LIGHT = 70  # of 255
MOST_COLOUR = 0.0012
"""Part of the tiles that may hold a colour that the other picture has not there, nor beside it."""
MOST_LIGHT = 0.05
"""Part of the tiles that may be much lighter or darker: text in another font."""

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Difference:
    """How far two pictures differ.

    Args:
        colour, light: parts of all tiles, 0 to 1.
        size: whether they are of different size.
    """

    colour: float
    light: float
    size: bool = False

    @property
    def is_seen(self) -> bool:
        """Whether it is more than fonts make."""
        return self.size or self.colour > MOST_COLOUR or self.light > MOST_LIGHT


def compare(one: Image.Image, other: Image.Image) -> Difference:
    """Return how far two pictures differ, whichever comes first."""
    if one.size != other.size:
        return Difference(1, 1, True)
    tiles = [_tiles(picture) for picture in (one, other)]
    high, wide = len(tiles[0]), len(tiles[0][0])
    colour = light = 0
    for here, there in (tiles, tiles[::-1]):
        for y in range(high):
            for x in range(wide):
                found = here[y][x]
                near = [there[b][a] for b in range(max(0, y - 1), min(high, y + 2)) for a in range(max(0, x - 1), min(wide, x + 2))]
                if _chroma(found) > _COLOURFUL and not any(_like(found, beside) for beside in near):
                    colour += 1
                if not any(abs(_light(found) - _light(beside)) < _SAME_LIGHT for beside in near):
                    light += 1
    return Difference(colour / (high * wide), light / (high * wide))


def assert_like_gold_picture(name: str, taken: bytes) -> None:
    """Compare a PNG with gold/NAME; on mismatch save it beside as NAME.new.png and fail. How to accept it: README.md here."""
    wanted, new = GOLD / name, GOLD / f"{name.removesuffix('.png')}.new.png"
    picture = Image.open(io.BytesIO(taken)).convert("RGB")
    if os.environ.get("ACCEPT_GOLD") and (not wanted.exists() or compare(picture, _open(wanted)) != Difference(0, 0)):
        _keep(picture, wanted)
    found = compare(picture, _open(wanted)) if wanted.exists() else Difference(1, 1, True)
    if found.is_seen:
        _keep(picture, new)
        raise AssertionError(f"{name} differs from what was accepted ({found}): look at it and at {new.name} beside it"
                             " (tests/test_replay/README.md)")
    new.unlink(missing_ok=True)


def _open(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


def _keep(picture: Image.Image, path: Path) -> None:
    picture.quantize(KEPT_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def _tiles(picture: Image.Image) -> list[list[Colour]]:
    wide, high = picture.width // TILE, picture.height // TILE
    small = picture.crop((0, 0, wide * TILE, high * TILE)).resize((wide, high), Image.Resampling.BOX).convert("RGB")
    raw = small.tobytes()
    return [[(raw[at], raw[at + 1], raw[at + 2]) for at in range(3 * y * wide, 3 * (y + 1) * wide, 3)] for y in range(high)]


def _chroma(colour: Colour) -> int:
    return max(colour) - min(colour)


def _light(colour: Colour) -> float:
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


def _like(one: Colour, other: Colour) -> bool:
    return all(abs(a - b) < _SAME_COLOUR for a, b in zip(one, other, strict=True))
