"""The page of the experience as a visitor meets it: served by Voila, opened in a browser."""

import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from waage import pages
from waage.ix import linkage
from waage.ix.calculator import calculator
from waage.ix.link import link
from waage.ix.linkage import Linkage, link_experience
from waage.ix.measurement import Measurement
from waage.ix.simulation import simulate_panel
from waage.ix.value import points_needed, value_points, what_if

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (looked for chromium, chromium-browser, google-chrome)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """What notebook 05 writes, of a simulated panel of 12 units; one unit's weeks have 12 answers only."""
    panel, _ = simulate_panel(3, units=12, weeks=104, incidents=2)
    key = pd.MultiIndex.from_product([panel.units, panel.weeks], names=["unit", "week"]).to_frame(index=False)
    scores = key.assign(ix=panel.score.ravel(), perception=panel.score.ravel() - 2, goal=panel.score.ravel() + 2)
    scores = scores.assign(variance=panel.variance.ravel(), n=np.where(key["unit"] == "unit_011", 2.0, panel.n.ravel()))
    scores["ix"] = scores["ix"].clip(0, 100)
    half = {name: part.ravel() for name, part in zip(("ix_a", "ix_b"), panel.halves, strict=True)}
    sales = key.assign(visits=panel.visits.ravel(), orders=panel.orders.ravel(), demand=panel.demand.ravel())
    sales["promo"] = panel.controls[:, :, 0].ravel()
    units = pd.DataFrame({"unit": panel.units, "label": [f"Shop <b>{g}</b>" for g in range(12)]})
    units = units.assign(category=None, device=None)

    class Given:
        table, item_weeks = scores.assign(**half), None

    own = Measurement(Given(), None, None, None, None, units)
    found = link_experience(own, sales, margin_rate=0.35, net_share=0.9)
    assert found
    groups = pd.DataFrame({"split": "lifecycle", "group": ["stage_active", "stage_new", "stage_lapsed"]})
    groups = groups.assign(
        instrument="ix", ix=[71.0, 65.0, np.nan], low=[70.0, 63.0, np.nan], high=[72.0, 67.0, np.nan]
    )
    groups = groups.assign(value=[140.0, 40.0, np.nan], customers=[900.0, 300.0, np.nan], answers=50.0, persons=40.0)
    drivers = pd.DataFrame(
        [("weight", "all", item, 0.5, 0.4, 0.6) for item in ("find", "ease")]
        + [("performance", "all", item, 60.0, np.nan, np.nan) for item in ("find", "ease")]
        + [("points", "all", item, 0.4, np.nan, np.nan) for item in ("find", "ease")]
        + [("worth", "all", item, 1e6, np.nan, np.nan) for item in ("find", "ease")],
        columns=["kind", "unit", "item", "value", "low", "high"],
    )  # fmt: skip
    return {
        "ix_scores": scores,
        "ix_effects": found.effects,
        "ix_checks": found.check_table,
        "ix_value": found.value.table(),
        "ix_by_group": groups,
        "ix_drivers": drivers,
        "units": units,
        "performance": sales,
    }


def refused() -> dict[str, pd.DataFrame]:
    empty = Linkage(None, reasons=linkage._NO_SALES)
    return {"ix_checks": empty.check_table}


def serve_study(tmp_path: Path, tables: dict, language: str):
    (tmp_path / "pyproject.toml").touch()
    shutil.copytree(ROOT / "notebooks" / "pages", tmp_path / "notebooks" / "pages")
    folder = tmp_path / "data" / "shop"
    (folder / "tables").mkdir(parents=True)
    (folder / "study.yaml").write_text(
        f"name: shop\nlanguage: {language}\ntime_zone: Europe/Berlin\ndata_until: 2025-07-31\nas_of: 2025-06-30\n"
        "min_cell_survey: 30\n"
    )
    for name, table in tables.items():
        table.to_parquet(folder / "tables" / f"{name}.parquet", index=False)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return pages.running("shop", port, root=tmp_path), f"http://127.0.0.1:{port}/"


def visit(chromium, address: str, ready: str):
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(f"{address}voila/render/experience.ipynb", timeout=60_000)
    page.wait_for_selector(ready, state="attached", timeout=60_000)
    page.wait_for_load_state("networkidle")
    return page


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_calculates_both_ways_within_what_was_observed(chromium, tables, tmp_path, language):
    server, address = serve_study(tmp_path, tables, language)
    with server:
        page = visit(chromium, address, ".ix-calculator[data-ready]")
        text = page.inner_text("body")
        column = "sentence_de" if language == "de" else "sentence"
        said = tables["ix_checks"].set_index("check")[column]
        assert said["link"] in text and said["limits"] in text
        assert "Shop <b>1</b>" in text, "labels are escaped"
        # The slider ends where the observed moves end, and the table follows it.
        row = tables["ix_value"].set_index(["unit", "measure"]).loc[("all", "demand")]
        slider, cell = page.locator(".points"), page.locator("tr[data-measure=demand] .now")
        shown = cell.inner_text()
        slider.evaluate("e => { e.value = e.max; e.dispatchEvent(new Event('input')); }")
        most = page.inner_text(".shown").replace("\u2212", "-").replace(",", ".")
        assert row["support_high"] - 0.25 < float(most) <= row["support_high"] and cell.inner_text() != shown
        # An amount gives the points that points_needed gives; one beyond the support none.
        amount = float(what_if(tables["ix_value"], 1.5).set_index(["unit", "measure"]).loc[("all", "demand"), "value"])
        page.fill(".amount", str(round(amount)))
        wanted = points_needed(tables["ix_value"], amount).set_index(["unit", "measure"]).loc[("all", "demand")]
        first = page.inner_text(".needed").split(" ")[0].replace(",", ".")
        assert float(first) == pytest.approx(wanted["needed"], abs=0.06)
        page.fill(".amount", str(round(100 * amount)))
        assert ("keine Zahl" if language == "de" else "no number") in page.inner_text(".needed")
        page.select_option(".unit", "unit_003")
        assert page.inner_text("tr[data-measure=demand] td") != shown.split(" ")[0]
        images = page.locator(".jp-RenderedImage img, img")
        assert images.count() >= 5 and page.evaluate("[...document.images].every(i => i.naturalWidth > 300)")
        assert not [
            u for u in page.asked if not u.startswith((address, "data:", "blob:", address.replace("http", "ws")))
        ]
        for inside in ("Traceback", "study.read", "ix.first_lines"):
            assert inside not in page.content()
        # A unit of too few answers has a row and no number.
        row = page.locator("tr", has_text="Shop <b>11</b>").first.inner_text()
        assert "–" in row and not any(f"{x}" in row for x in range(60, 85))
        page.close()


@pytest.mark.browser
@pytest.mark.slow
def test_a_refused_link_has_a_page_with_the_reason(chromium, tables, tmp_path):
    kept = {name: tables[name] for name in ("ix_scores", "ix_by_group", "units")} | refused()
    server, address = serve_study(tmp_path, kept, "de")
    with server:
        page = visit(chromium, address, ".cards")
        text = page.inner_text("body")
        assert "lässt sich nicht sagen" in text and "Die Studie hat keine Tabelle" in text
        assert not page.query_selector(".ix-calculator") and "Das Erlebnis jeder Einheit" in text
        assert not page.query_selector(".notice.failure")
        page.close()


def test_the_calculator_holds_no_number_outside_its_support():
    panel, _ = simulate_panel(1, weeks=104)
    value = value_points(panel, link(panel), grade="C")
    table = value.table()
    html = calculator(table, {"unit_000": "</script><b>"}, language="de")
    data = json.loads(html.split('class="ix-data">')[1].split("</script>")[0])
    for unit, of in data["units"].items():
        row = table[table["unit"] == unit].iloc[0]
        assert row["support_low"] <= min(of["points"]) and max(of["points"]) <= row["support_high"]
        assert not any("–" in text for _, texts in of["rows"].values() for text in texts)
    assert "</script><b>" not in html and data["words"]["lang"] == "de"
    still = table.assign(support_low=-0.1, support_high=0.1)
    assert "Keine Einheit bewegte sich" in calculator(still, {}, language="de")
