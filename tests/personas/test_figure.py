"""The figure of a persona: drawn from data alone, the same each time, readable and harmless whatever the labels."""

import re
from xml.etree import ElementTree

import pytest

from waage.personas.figure import _CAP, _HOLE, _SCALE, ICONS, _key, figure, wrap

SVG = "{http://www.w3.org/2000/svg}"
MOTIVES = [
    {"label": "A good price", "index": 164, "construct": "price"},
    {"label": "speed", "index": 148.4, "difference": 0.3},
    {"label": "What the family needs", "index": 120},
    {"label": "Advice", "index": None, "difference": 0.42},
    {"label": "Hidden", "index": None, "difference": None},
    {"label": "Stores", "index": float("nan")},
    {"label": "Quality", "index": 64, "variable": "quality"},
]


def reaches(svg):
    """How far out the sectors reach that are drawn over the pale ones, as indices."""
    far = re.findall(r'<path d="M[^"]*?A(\S+) [^"]*" fill="(#\w+)"', svg)
    return [(round((float(radius) - _HOLE) / _SCALE), fill) for radius, fill in far if fill != "#eef1f3"]


def test_bars_reach_as_far_as_the_index_and_hidden_ones_are_left_out():
    svg = figure(MOTIVES, "Somebody", colour="#123456")
    assert reaches(svg) == [(164, "#123456"), (148, "#123456"), (142, "#123456"), (120, "#123456")]
    assert "Hidden" not in svg and "Stores" not in svg and "Quality" not in svg
    assert reaches(figure([{"label": "x", "index": 900}], "x", colour="#123456")) == [(_CAP, "#123456")]
    # fewer than three over 100: what is under-represented is shown, too, in grey
    assert reaches(figure(MOTIVES[:1] + MOTIVES[-1:], "x", colour="#123456")) == [(164, "#123456"), (64, "#aeb7bd")]


@pytest.mark.parametrize("legend", [True, False])
@pytest.mark.parametrize("motives", [MOTIVES, MOTIVES[:1], []])
def test_it_is_valid_svg_that_says_what_it_shows(motives, legend):
    svg = figure(motives, "Planer & <Sparer>", language="de", legend=legend)
    root = ElementTree.fromstring(svg)
    assert root.tag == SVG + "svg" and root.get("role") == "img"
    assert root.find(SVG + "title").text == "Motive: Planer & <Sparer>"
    said = root.find(SVG + "desc").text
    assert said.startswith("A good price: Index 164" if motives else "kein Motiv sticht heraus")
    assert root.get("aria-label").endswith(said)
    assert legend or root.find(SVG + "text") is None
    assert svg == figure(list(reversed(motives)), "Planer & <Sparer>", language="de", legend=legend)


def test_languages_differ_in_words_and_numbers():
    assert "index 148" in figure(MOTIVES, "x") and "+0.4 SD" in figure(MOTIVES, "x")
    german = figure(MOTIVES, "x", language="de")
    assert "Index 148" in german and "+0,4 Std.-Abw." in german and "gestrichelt" in german


def test_labels_are_escaped():
    svg = figure([{"label": '<script>alert("x")</script>', "index": 130}], '"><img src=x onerror=alert(1)>')
    assert "<script" not in svg and "<img" not in svg
    ElementTree.fromstring(svg)


@pytest.mark.parametrize(
    ("motive", "icon"),
    [
        ({"label": "Ich spare gern"}, "price"), ({"label": "x", "construct": "ease"}, "convenience"),
        ({"label": "I like to go to a store"}, "store"), ({"label": "App"}, "online"), ({"label": "???"}, "generic"),
        ({"label": "children"}, "family"), ({"label": "Beratung"}, "advice"),
        ({"label": "x", "variable": "maxdiff_speed"}, "speed"),
        ({"label": "Neue Ideen"}, "inspiration"), ({"label": "Qualität"}, "quality"),
    ],
)  # fmt: skip
def test_each_motive_finds_its_icon(motive, icon):
    assert _key(motive) == icon and len(ICONS) == 10


def test_long_labels_are_wrapped_and_cut():
    assert wrap("A good price", 200, 13) == ["A good price"]
    lines = wrap("Donaudampfschifffahrtsgesellschaftskapitän und noch viel mehr Wörter als hineinpassen", 130, 13)
    assert len(lines) == 3 and all(len(line) <= 130 / (0.64 * 13) + 1 for line in lines) and lines[-1].endswith("…")
    assert wrap("", 100, 13) == [""]
