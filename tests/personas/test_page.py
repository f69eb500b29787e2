"""The page of personas as a visitor meets it: served by Voila, opened in a browser."""

import shutil
import socket
from pathlib import Path

import pandas as pd
import pytest

from waage import pages, personas

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_shows_gallery_posters_evidence_and_comparisons(persona_study, chromium, tmp_path, overflow, language):
    made = {lang: persona_study(lang) for lang in ("en", "de")}
    own = made[language]
    (tmp_path / "pyproject.toml").touch()
    shutil.copytree(ROOT / "notebooks" / "pages", tmp_path / "notebooks" / "pages")
    folder = tmp_path / "data" / "shop"
    (folder / "tables").mkdir(parents=True)
    (folder / "study.yaml").write_text(
        f"name: shop\nlanguage: {language}\ntime_zone: Europe/Berlin\ndata_until: 2025-07-31\nas_of: 2025-06-30\n"
    )
    approved = pd.DataFrame({"type": [own.personas[0]["type"]], "text": ["Please keep the advice in the shop."]})
    stored = personas.stored({lang: one.personas for lang, one in made.items()}, approved)
    stored.to_parquet(folder / "tables" / "personas.parquet", index=False)
    own.findings.join(own.known, on="variable").to_parquet(folder / "tables" / "findings.parquet", index=False)
    people = pd.DataFrame({"person_id": [f"P{i}" for i in range(60)], "value_12m": 20.0, "clv": 50.0})
    people.to_parquet(folder / "tables" / "clv.parquet", index=False)
    typed = people[["person_id"]].assign(p_1=0.5, p_2=0.4, p_3=0.1, type="type_1", band="likely", type_p=0.5)
    typed.to_parquet(folder / "tables" / "types.parquet", index=False)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pages.running("shop", port, root=tmp_path):
        address = f"http://127.0.0.1:{port}/"
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}voila/render/personas.ipynb", timeout=60_000)
        page.wait_for_selector("article", state="visible", timeout=60_000)
        page.wait_for_load_state("networkidle")
        text = page.inner_text("body")
        assert all(one["label"] in text for one in own.personas)
        assert page.locator("article").count() >= 3 and "Please keep the advice in the shop." in text
        # What a later notebook knows is joined; a persona of 6 expected customers is hidden, and one more with it.
        worth = page.locator("table", has_text="50").first.inner_text()
        assert worth.count("verdeckt" if language == "de" else "hidden") == 2
        folded = page.locator("details")
        assert folded.count() == 3, "each pair of three personas"
        folded.first.locator("summary").click()
        assert folded.first.locator("section").is_visible()
        assert own.findings[own.findings.strength == "say"].id.iloc[0] in page.content()
        assert not [url for url in asked if not url.startswith((address, "data:", f"ws://127.0.0.1:{port}"))]
        assert not page.evaluate(overflow)
        page.screenshot(path=str(tmp_path / "page.png"), full_page=True)
        page.close()
