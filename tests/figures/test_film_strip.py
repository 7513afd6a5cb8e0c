"""The film strip and the map of regions as figures: what they draw, and how it looks in a real browser."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from lgca_plugin.figures import film_strip as drawing
from lgca_plugin.figures import region_map as mapping
from lgca_plugin.figures.film_strip import fitting_text
from lgca_plugin.method.explain.film_strip import Frame, Strip, strip
from lgca_plugin.workflows.evidence.film_strip import pictures_of, strip_boxes
from tests.helpers.browser.figures import BLUE, GREY, ORANGE, PAGES, look_at, plain, plotly_page
from tests.helpers.browser.figures import notes as figure_notes
from tests.helpers.images import picture
from tests.helpers.worlds.evidence import disagreeing, evidence_of
from tests.helpers.worlds.random_runs import World

MINUS = "\u2212"


@pytest.fixture(scope="module")
def seen() -> Any:
    return disagreeing()


@pytest.fixture(scope="module")
def photo(tmp_path_factory: Any) -> str:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    picture(480, 320).save(path)
    return str(path)


def film_strip(*given: Any, **options: Any) -> Any:
    return go.Figure(**drawing.film_strip(*given, **options))


def region_map(shown: Strip) -> Any:
    return go.Figure(**mapping.region_map(shown, "data:whole", (320, 480), min_width=640))


def notes(figure: Any, name: str) -> list[str]:
    return [plain(one.text) for one in figure_notes(figure, name)]


def shapes(figure: Any, name: str | None) -> list[Any]:
    return [one for one in figure.layout.shapes if one.name == name]


def changed(shown: Strip, change: Callable[[Frame], Frame], names: tuple[str, str]) -> Strip:
    """The strip with other frames and class names."""
    chains = (dataclasses.replace(chain, frames=tuple(map(change, chain.frames))) for chain in shown.chains)
    return dataclasses.replace(shown, names=names, chains=tuple(chains))


def frames_of(shown: Strip) -> list[Any]:
    return [frame for chain in shown.chains for frame in chain.frames]


def test_film_strip__each_frame_has_its_picture_vote_weight_and_contribution(seen: Any):
    shown = strip(seen, chains=9)
    frames = frames_of(shown)
    uris = {frame.region: f"data:image/png;base64,{frame.region}" for frame in frames}
    figure = film_strip(shown, uris, image="data:whole", image_size_hw=(2, 3))
    (points,) = figure.data
    assert points.name == "frames"
    assert list(points.ids) == [str(frame.region) for frame in frames]
    a, b = shown.names
    for point, frame, row in zip(range(len(frames)), frames, points.customdata, strict=True):
        assert row[2:] == [frame.weight, frame.contribution]
        x, y = points.x[point], points.y[point]
        # The picture lies below its point; its edge has the colour of its vote.
        (image,) = [one for one in figure.layout.images if one.source == uris[frame.region]]
        assert (image.x + image.sizex / 2, image.y + image.sizey / 2) == pytest.approx((x, y))
        edges = [
            one for one in shapes(figure, None) if one.type == "rect" and (one.x0 + one.x1) / 2 == pytest.approx(x)
        ]
        (edge,) = [one for one in edges if one.y0 <= y <= one.y1]
        assert edge.line.color == {a: BLUE, b: ORANGE}.get(frame.vote, GREY)
        assert edge.line.width == (4 if frame.misleading else 2)
        hover = unescape(points.hovertext[point])
        weight = f"{frame.weight:.1%}" if frame.weight >= 0.0005 else "<0.1%" if frame.weight else "0%"
        assert f"Weight {weight}: its share of LGCA's image vector" in hover
        assert frame.vote in hover
        assert (f"{abs(frame.contribution):.4f}" if abs(frame.contribution) >= 5e-5 else "Contribution") in hover
        assert ("Misleading" in hover) == frame.misleading
    whole = [one for one in figure.layout.images if one.source == "data:whole"]
    assert len(whole) == len(shown.chains)
    assert whole[0].sizex / whole[0].sizey == pytest.approx(3 / 2)
    json.dumps(figure.to_plotly_json()["layout"])


def test_film_strip__bars_are_contributions_on_one_scale(seen: Any):
    shown = strip(seen, chains=9)
    figure = film_strip(shown, {})
    contributions = [frame.contribution for frame in frames_of(shown) if frame.contribution]
    bars = shapes(figure, "bar")
    assert len(bars) == len(contributions)
    scale = max(map(abs, contributions))
    longest = max(bar.x1 - bar.x0 for bar in bars)
    for bar, value in zip(bars, contributions, strict=True):
        assert (bar.x1 - bar.x0) / longest == pytest.approx(abs(value) / scale)
        assert bar.fillcolor == (BLUE if value > 0 else ORANGE)
    expected = [[*(frame.contribution for frame in chain.frames), shown.of_whole] for chain in shown.chains]
    written = [float(text.replace(MINUS, "-")) for text in notes(figure, "contribution")]
    assert written == pytest.approx([value for row in expected for value in row], abs=6e-5)


def test_film_strip__boxes_lie_where_they_are_in_the_image(seen: Any):
    shown = strip(seen, chains=2)
    figure = film_strip(shown, {}, image="data:whole", image_size_hw=(3, 2))
    images = [one for one in figure.layout.images if one.source == "data:whole"]
    boxes = iter(shapes(figure, "box"))
    for chain, whole in zip(shown.chains, images, strict=True):
        for frame in chain.frames:
            box = next(boxes)
            x, y, width, height = frame.box
            assert (box.x0 - whole.x) / whole.sizex == pytest.approx(x)
            assert (box.y0 - whole.y) / whole.sizey == pytest.approx(y)
            assert (box.x1 - box.x0) / whole.sizex == pytest.approx(width)
            assert (box.y1 - box.y0) / whole.sizey == pytest.approx(height)


def test_film_strip__marks_flips_misleading_crops_and_what_is_taken_out(seen: Any):
    first = strip(seen, chains=9)
    out = [first.chains[0].frames[0].region]
    shown = strip(seen, chains=9, out=out)
    figure = film_strip(shown, dict.fromkeys(range(40), "data:"))
    headings = notes(figure, "chain")
    assert len(headings) == len(shown.chains)
    for chain, heading in zip(shown.chains, headings, strict=True):
        assert heading.startswith(f"Crop {chain.number + 1}")
        assert ("misleading" in heading) == chain.frames[0].misleading
        assert ("flips" in heading) == chain.flipped
        if chain.pull:
            assert f"{chain.pull:.1%} of WCA's pull" in heading
    assert len(notes(figure, "out")) == len(out)
    assert sorted({image.opacity for image in figure.layout.images if image.source == "data:"}) == [0.25, 1.0]
    arrows = notes(figure, "arrow")
    pairs = [(before, after) for c in shown.chains for before, after in zip(c.frames, c.frames[1:], strict=False)]
    assert [arrow == "\u21c4" for arrow in arrows] == [before.vote != after.vote for before, after in pairs]


def test_film_strip__has_a_line_that_adds_up_to_the_margin(seen: Any):
    shown = strip(seen, method="wca_global", chains=2)
    (words,) = notes(film_strip(shown, {}), "sum")
    numbers = [float(text.replace(MINUS, "-")) for text in re.findall(rf"[+{MINUS}]\d\.\d+", words)]
    *parts, margin = numbers
    assert sum(parts) == pytest.approx(margin, abs=2e-4)
    assert margin == pytest.approx(seen.margin("wca_global", *shown.names), abs=6e-5)
    assert f"{shown.n_chains - 2} other chains" in words and "wca_global" in words


def test_film_strip__class_names_are_never_read_as_markup(seen: Any):
    evil = "<b>a</b> & $x$ " * 9
    shown = changed(strip(seen, chains=1), lambda frame: dataclasses.replace(frame, vote=evil), (evil, "b"))
    texts = " ".join(one.text for one in film_strip(shown, {}).layout.annotations)
    assert "&lt;b&gt;" in texts and "$" not in texts


@pytest.mark.parametrize(
    ("options", "message"), [({"theme": "pink"}, "theme"), ({"min_width": 300}, "400 pixels, got 300")]
)
def test_film_strip__rejects_unknown_themes_and_narrow_pages(seen: Any, options: Any, message: str):
    with pytest.raises(ValueError, match=message):
        film_strip(strip(seen), {}, **options)


def test_region_map__each_region_has_its_box_and_its_mark(seen: Any):
    shown = strip(seen, chains=4)
    figure = region_map(shown)
    (image,) = figure.layout.images
    (points,) = figure.data
    frames = {str(frame.region): frame for frame in frames_of(shown)}
    assert sorted(points.ids) == sorted(frames)
    for box, id_ in zip(figure.layout.shapes, points.ids, strict=True):
        x, y, width, _ = frames[id_].box
        assert (box.x0 - image.x) / image.sizex == pytest.approx(x)
        assert (box.y0 - image.y) / image.sizey == pytest.approx(y)
        assert (box.x1 - box.x0) / image.sizex == pytest.approx(width)


def test_region_map__no_mark_hides_another(seen: Any):
    shown = strip(seen, chains=4)
    box = shown.chains[0].frames[0].box
    (points,) = region_map(changed(shown, lambda frame: dataclasses.replace(frame, box=box), shown.names)).data
    places = list(zip(points.x, points.y, strict=True))
    assert len(places) > 3
    size = points.marker.size
    for at, (x, y) in enumerate(places):
        assert all(abs(x - left) >= size or abs(y - top) >= size for left, top in places[:at])


@pytest.mark.thorough
@pytest.mark.app
def test_figures__in_a_browser_no_text_overlaps_another_or_leaves_the_picture(seen: Any, photo: str):
    shown = strip(seen, chains=4, out=[int(np.flatnonzero(seen.misleading)[0])])
    found = pictures_of(photo, strip_boxes(shown))
    names = {"tern": "a very small long-tailed tern", "gull": "W" * 40}
    first, second = (names.get(name, name) for name in shown.names)
    long = changed(
        shown, lambda frame: dataclasses.replace(frame, vote=names.get(frame.vote, frame.vote)), (first, second)
    )
    plain = strip(evidence_of(World(1)), method="wca", chains=2)
    with plotly_page() as page:
        for theme, colour in PAGES.values():
            for width in (430, 640):
                options: Any = {"image": found.whole, "image_size_hw": found.size_hw, "min_width": width}
                options["theme"] = theme
                look_at(page, film_strip(shown, found.regions, **options), f"strip_{theme}_{width}", width, colour)
        options["theme"], options["min_width"] = "light", 430
        look_at(page, film_strip(long, found.regions, **options), "strip_long", 430, "#ffffff")
        look_at(page, film_strip(plain, {}), "strip_without_pictures", 640, "#ffffff")
        mapped = mapping.region_map(shown, found.whole, found.size_hw, min_width=640)
        look_at(page, go.Figure(**mapped), "region_map", 640, "#ffffff")


@pytest.mark.parametrize(
    ("value", "wide", "narrow"),
    [
        (4.2e-6, "+0.000004", f"+4e{MINUS}6"),
        (-4.2e-6, f"{MINUS}0.000004", f"{MINUS}4e{MINUS}6"),
        (-0.2863, f"{MINUS}0.2863", f"{MINUS}3e{MINUS}1"),
        (0.0, "0", "0"),
        (math.nan, "\u2013", "\u2013"),
    ],
)
def test_fitting_text__is_shorter_where_there_is_less_room(value, wide, narrow):
    assert fitting_text(value, width=100, size=10) == wide
    assert fitting_text(value, width=40, size=10) == narrow
