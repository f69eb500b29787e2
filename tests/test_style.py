import datetime
import subprocess
import sys
from decimal import Decimal

import pandas as pd
import pytest

from waage import style
from waage.errors import WaageError

GAP = "\u00a0"
MISSING = [None, float("nan"), pd.NA, pd.NaT]


@pytest.mark.parametrize(
    ("x", "language", "decimals", "text"),
    [
        (1234567, "en", 0, "1,234,567"),
        (1234567, "de", 0, "1.234.567"),
        (-1234.56, "en", 1, "−1,234.6"),
        (-1234.56, "de", 1, "−1.234,6"),
        (0, "en", 0, "0"),
        (-0.4, "en", 0, "0"),
        (-0.04, "de", 1, "0,0"),
        (Decimal("12.3450"), "en", 2, "12.34"),
        (float("inf"), "en", 0, "∞"),
    ],
)
def test_number(x, language, decimals, text):
    assert style.number(x, language, decimals) == text


@pytest.mark.parametrize(
    ("x", "currency", "language", "decimals", "text"),
    [
        (1234567, "EUR", "en", 0, "€1,234,567"),
        (4596040, "USD", "en", 0, "$4,596,040"),
        (1234567, "EUR", "de", 0, f"1.234.567{GAP}€"),
        (-12.5, "EUR", "en", 2, "−€12.50"),
        (-12.5, "EUR", "de", 2, f"−12,50{GAP}€"),
        (99, "CHF", "en", 0, f"CHF{GAP}99"),
        (-99, "CHF", "en", 0, f"−CHF{GAP}99"),
        (99, "CHF", "de", 0, f"99{GAP}CHF"),
        (0, "EUR", "en", 0, "€0"),
    ],
)
def test_money(x, currency, language, decimals, text):
    assert style.money(x, currency, language, decimals) == text


@pytest.mark.parametrize(
    ("share", "language", "decimals", "text"),
    [(0.1234, "en", 0, "12%"), (0.1234, "de", 1, f"12,3{GAP}%"), (-0.05, "en", 0, "−5%"), (0, "de", 0, f"0{GAP}%")],
)
def test_percent(share, language, decimals, text):
    assert style.percent(share, language, decimals) == text


@pytest.mark.parametrize(
    ("x", "currency", "language", "text"),
    [
        (4596040, "USD", "en", "$4.6m"),
        (4596040, "USD", "de", f"4,6{GAP}Mio.{GAP}$"),
        (2000, "EUR", "en", "€2k"),
        (-2500, None, "en", "−2.5k"),
        (0, "EUR", "en", "€0"),
        (999.4, None, "en", "999"),
        (999.6, None, "en", "1k"),
        (999_949, None, "en", "1m"),
        (123_456, None, "en", "123k"),
        (99_949, None, "en", "99.9k"),
        (99_960, None, "en", "100k"),
        (1.25e9, None, "de", f"1,2{GAP}Mrd."),
        (4.56, None, "en", "4.6"),
        (Decimal("45678000.0000"), None, "en", "45.7m"),
    ],
)
def test_compact(x, currency, language, text):
    assert style.compact(x, currency, language) == text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (1_334_000, "€1.33m"),
        (57_130, "€57.1k"),
        (1_300_000, "€1.30m"),
        (2e6, "€2m"),
        (123_456, "€123k"),
        (-1_334_000, "−€1.33m"),
    ],
)
def test_a_compact_number_may_have_three_figures(x, text):
    assert style.compact(x, "EUR", figures=3) == text


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("language", ["en", "de"])
def test_missing_values_are_a_dash(missing, language):
    shown = [
        style.number(missing, language),
        style.money(missing, "EUR", language),
        style.percent(missing, language),
        style.compact(missing, "EUR", language),
        style.day(missing, language),
        style.label(missing, language),
    ]
    assert shown == ["–"] * 6


@pytest.mark.parametrize(
    "date", [datetime.date(2025, 6, 30), datetime.datetime(2025, 6, 30, 23), pd.Timestamp(2025, 6, 30), "2025-06-30"]
)
def test_day(date):
    assert style.day(date) == "30 June 2025"
    assert style.day(date, "de") == "30. Juni 2025"


def test_months_are_complete():
    days = [datetime.date(2025, month, 1) for month in range(1, 13)]
    assert [style.day(day) for day in days] == [f"{day.day} {day:%B} {day.year}" for day in days]
    assert len({style.day(day, "de") for day in days}) == 12


SEGMENTS = ["champions", "loyal", "potential_loyalists", "new", "promising"]
SEGMENTS += ["need_attention", "about_to_sleep", "cant_lose", "at_risk", "hibernating", "lost"]


def test_every_segment_has_a_colour_and_a_label_of_its_own_in_both_languages():
    assert list(style.SEGMENT_COLOURS) == SEGMENTS
    assert len(set(style.SEGMENT_COLOURS.values())) == 11
    for language in ("en", "de"):
        labels = [style.label(segment, language) for segment in SEGMENTS]
        assert len(set(labels)) == 11
        assert not any("_" in text or text == text.lower() for text in labels)


def test_labels():
    assert style.label("mbg") == "MBG/NBD"
    assert style.label("store", "de") == "Filiale"
    assert style.label("failed", "de") == "Fehlgeschlagen"
    assert style.label("a_key_of_a_study", "de") == "a key of a study"
    assert style.title("expected_orders") == "Expected purchase days"
    assert all(len(texts) == 2 and all(texts) for texts in style.LABELS.values())


def test_unknown_language_is_refused_with_the_way_out():
    with pytest.raises(WaageError, match=r"'en' or 'de'\. Got 'dee' instead \(did you mean 'de'"):
        style.number(1, "dee")


def test_import_is_light():
    code = "import sys, waage.style; print([m for m in ('matplotlib', 'pandas', 'seaborn') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.fixture
def settings_restored():
    import matplotlib as mpl

    with mpl.rc_context(), pd.option_context("display.precision", 6):
        yield
        for name in ("display.float_format", "display.max_colwidth", "display.html.use_mathjax"):
            pd.reset_option(name)


def test_apply_formats_tables_and_axes(settings_restored):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    style.apply("de")
    html = pd.DataFrame({"x": [1234567.0, 12.5, 0.00041, 0.0]}).to_html()
    for text in ("1.234.567", "12,50", "0,00041", "<td>0</td>"):
        assert text in html
    ax = Figure().subplots()
    ax.plot([0, 2_000_000], [0, 1])
    style.axis_money(ax.xaxis, "EUR", "de")
    style.axis_percent(ax.yaxis, "de")
    ax.figure.canvas.draw()
    assert f"1{GAP}Mio.{GAP}€" in [tick.get_text() for tick in ax.get_xticklabels()]
    assert f"100{GAP}%" in [tick.get_text() for tick in ax.get_yticklabels()]
    assert not ax.spines["top"].get_visible()


def test_palette_stays_apart_for_the_colour_blind():
    """Pairwise distance in CIELAB after simulated deuteranopia and protanopia (Machado et al. 2009, severity 1)."""
    import numpy as np

    simulate = {
        "deuteranopia": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.01182, 0.04294, 0.968881],
        ],
        "protanopia": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
    }
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])

    def lab(linear):
        xyz = to_xyz @ linear / [0.9505, 1.0, 1.089]
        f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
        return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

    for matrix in simulate.values():
        seen = []
        for colour in style.PALETTE:
            srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
            linear = np.where(srgb > 0.04045, ((srgb + 0.055) / 1.055) ** 2.4, srgb / 12.92)
            seen.append(lab(np.clip(np.array(matrix) @ linear, 0, 1)))
        closest = min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i])
        assert closest > 10
