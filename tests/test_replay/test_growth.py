"""Slopes, spreads and pictures of what a sweep measured."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from sockreel.replay import Look
from sockreel.replay.exports.growth import growth_svg
from sockreel.replay.growth import METRICS, Measure, curves_of, fit, growth_json, tail_from
from sockreel.replay.terminal_growth import draw_growth

COUNTS = (1, 10, 100, 1000, 10_000)


def _measures() -> list[Measure]:
    """Polling, whose cost is 50 us and 3 us for each client; epoll, whose cost stays; select, which ends."""
    made = []
    for clients in COUNTS:
        for repeat in (1, 2, 3):
            for server, cost_ns in (("nonblocking", 50_000 + 3_000 * clients), ("epoll_level", 60_000)):
                cpu_ns = cost_ns * 100 * (1 + repeat / 100)
                made.append(Measure(server, clients, 1, repeat, clients, 1, 100, 10**9, cpu_ns, 300, cost_ns, cost_ns))
    why = "it died: ValueError: \x1b[31mfiledescriptor out of range in select()"
    return [*made, Measure("select", 100, 1, 1, 100, 1, 100, 10**9, 9e6, 300, 9e4), Measure("select", 10_000, 1, 1, 1020, 0, ended=why)]


def test_a_power_law_has_its_exponent_as_slope() -> None:
    found = fit([(count, 7.0 * count**0.5) for count in COUNTS])
    assert found is not None
    assert found.exponent == pytest.approx(0.5)
    assert found.error == pytest.approx(0, abs=1e-9)
    assert fit([(10, 1.0), (10, 2.0)]) is None


def test_polling_grows_with_its_clients_at_the_end_and_epoll_does_not() -> None:
    polling, epoll, select = curves_of(_measures())
    cost = METRICS[0]
    at_end = polling.slope(cost, tail_from(polling))
    assert at_end is not None and at_end.first == 1000 and at_end.exponent > 0.95
    flat = epoll.slope(cost)
    assert flat is not None and abs(flat.exponent) < 0.01
    assert select.slope(cost) is None
    assert [(spot.clients, spot.repeats) for spot in polling.spots(cost)] == [(count, 3) for count in COUNTS]
    assert polling.spots(cost)[0].low < polling.spots(cost)[0].median < polling.spots(cost)[0].high


@pytest.mark.parametrize("look", [Look(60), Look(100), Look(140, colour=True), Look(100, ascii=True)], ids=["60", "100", "colour", "ascii"])
def test_the_picture_has_a_sign_for_each_server_and_names_where_one_ended(look: Look) -> None:
    text = draw_growth(curves_of(_measures()), look)
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, bare.splitlines())) <= look.width
    signs = "o+x" if look.ascii else "●○▲"
    for sign, server in zip(signs, ("nonblocking", "epoll_level", "select"), strict=True):
        assert f"{sign} {server}" in bare
        assert bare.count(sign) > 2
    assert "ends at 10,000: it died: ValueError" in bare
    assert "\x1b[31mfile" not in text
    assert bare.isascii() == look.ascii
    if look.width >= 100:
        assert "n^0.7" in bare


def test_svg_is_well_formed_and_holds_every_server() -> None:
    drawn = growth_svg(curves_of(_measures()))
    ElementTree.fromstring(drawn.replace("\x1b", ""))
    assert "\x1b" not in drawn
    assert all(name in drawn for name in ("nonblocking", "epoll_level", "select"))


def test_the_legend_of_an_svg_is_cut_into_lines_that_fit_and_stays_inside() -> None:
    why = "it died: " + "a long story " * 30
    drawn = growth_svg(curves_of([*_measures()[:3], Measure("select", 10_000, 1, 1, 1020, 0, ended=why)]))
    root = ElementTree.fromstring(drawn)
    high = float(root.attrib["viewBox"].split()[3])
    legend = [text for text in root.iter() if text.tag.endswith("text") and text.attrib["x"] == "34"]
    said = ["".join(text.itertext()) for text in legend]
    assert len(said) == 6 and max(map(len, said)) < 160
    assert "".join(said).count("a long story") >= 27 and "1,020 of 10,000" in said[-1]
    assert max(float(text.attrib["y"]) for text in legend) < high


def test_a_narrow_column_keeps_the_spread_and_gives_up_blanks() -> None:
    runs = [Measure("poll", count, 1, 1 + n, count, 1, 100, 10**9, cpu_ns, 300, 9e4)
            for count in COUNTS for n, cpu_ns in enumerate((3e6, 3.66e6, 7.9e6))]
    rows = [line for line in draw_growth(curves_of(runs), Look(100)).splitlines() if line.startswith("poll") and "µs" in line]
    assert [row.count(cell) for row, cell in zip(rows, ("36.6µs±33%", "90.0 µs±0%"), strict=True)] == [5, 5]


def test_json_tells_points_slopes_and_ends() -> None:
    polling, _, select = growth_json(curves_of(_measures()))["servers"]
    assert [point["clients"] for point in polling["metrics"]["cpu_per_exchange_ns"]["points"]] == list(COUNTS)
    assert polling["ended"] is None
    assert (select["ended"]["clients"], select["ended"]["connected"], select["ended"]["answered"]) == (10_000, 1020, 0)
    assert len(polling["runs"]) == 15
