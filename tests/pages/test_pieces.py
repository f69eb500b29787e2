"""The pieces a page is made of, and the settings of the server that shows it."""

import json
import os
import socket
from types import SimpleNamespace

import matplotlib
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from waage import pages
from waage.errors import WaageError
from waage.study import Study


def fake_study(language="en"):
    return SimpleNamespace(config=SimpleNamespace(language=language, currency="USD", min_cell=10))


@pytest.fixture
def bars():
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    def draw(table, value, language="en", **options):
        ax = Figure().subplots()
        pages.plot_segments(table, value, title="A title", study=fake_study(language), ax=ax, **options)
        names = [tick.get_text() for tick in ax.get_yticklabels()]
        widths = [bar.get_width() for bar in ax.patches]
        return list(zip(names, widths, (text.get_text() for text in ax.texts), strict=True))

    return draw


def test_bars_run_from_the_best_to_the_lost_and_carry_their_values(bars):
    table = pd.DataFrame({"segment": ["hibernating", "champions", "new"], "revenue": [1500.0, 2_340_000.0, 0.0]})
    drawn = bars(table, "revenue", money=True)
    # a bar chart grows upwards, so the first name is the lowest bar
    assert drawn == [
        ("Hibernating", 1500, "$1.5k"),
        ("New customers", 0, "$0"),
        ("Champions", 2_340_000, "$2.3m"),
    ]
    assert bars(table.sample(frac=1, random_state=1), "revenue", money=True) == drawn


def test_masked_group_is_said_to_be_masked(bars):
    table = pd.DataFrame({"segment": ["loyal", "cant_lose"], "customers": [1234.0, float("nan")]})
    assert bars(table, "customers", "de") == [
        ("Nicht zu verlieren", 0, "verdeckt (schützt Gruppen unter 10)"),
        ("Treue Kunden", 1234, "1.234"),
    ]


def test_cards_escape_and_translate():
    soup = BeautifulSoup(pages.cards(("orders", "<i>12</i>", "seit 2024"), language="de").data, "html.parser")
    assert soup.find(class_="card").get_text("|") == "Bestellungen|<i>12</i>|seit 2024"
    assert pages.cards() is None


def test_notice_escapes():
    assert "<script>" not in pages.notice("<script>").data and "&lt;script&gt;" in pages.notice("<script>").data


@pytest.mark.parametrize(
    ("language", "all_missing", "one_missing"),
    [
        ("en", "There are no results of the study small yet; “waage run small” makes them.",
         "Not there yet: segments."),
        ("de", "Zur Studie small liegen noch keine Ergebnisse vor; „waage run small“ erzeugt sie.",
         "Noch nicht vorhanden: Segmente."),
    ],
)  # fmt: skip
def test_missing_tables_are_one_sentence(make_study, language, all_missing, one_missing):
    folder = make_study(language=language)
    study = Study.open("small")
    words = {"customer_orders": "orders", "rfm": "segments"}
    assert text_of(pages.missing(study, **words)) == all_missing
    (folder / "tables").mkdir()
    pd.DataFrame({"order_id": ["a"]}).to_parquet(folder / "tables" / "customer_orders.parquet")
    assert text_of(pages.missing(study, **words)) == one_missing
    pd.DataFrame({"person_id": ["a"]}).to_parquet(folder / "tables" / "rfm.parquet")
    assert pages.missing(study, **words) is None


def text_of(piece):
    return BeautifulSoup(piece.data, "html.parser").find(class_="notice").get_text()


def test_head_states_the_basis_of_all_figures(make_study):
    folder = make_study(currency="CHF", money="gross", as_of="2024-11-30")
    text = BeautifulSoup(pages.head(Study.open("small")).data, "html.parser").find("header").get_text(" ", strip=True)
    assert text == "small As of 30 November 2024 Data until 31 December 2024 Money CHF, incl. VAT"
    (folder / "truth").mkdir()
    (folder / "tables").mkdir()
    pd.DataFrame({"x": [1]}).to_parquet(folder / "tables" / "rfm.parquet")
    os.utime(folder / "tables" / "rfm.parquet", (1735700000, 1735700000))  # 2025-01-01 02:53:20 UTC
    text = BeautifulSoup(pages.head(Study.open("small")).data, "html.parser").find("header").get_text(" ", strip=True)
    assert text.startswith("small simulated data") and text.endswith("Computed 1 January 2025, 03:53")


def test_last_parameter_comes_from_the_last_run(make_study):
    make_study()
    study = Study.open("small")
    assert pages.last_parameter(study, "04_clv", "horizon_months") == "–"
    study.reports.mkdir(parents=True)
    manifest = {"notebooks": {"04_clv": {"parameters": {"horizon_months": 6}}}}
    (study.reports / "manifest.json").write_text(json.dumps(manifest))
    assert pages.last_parameter(study, "04_clv", "horizon_months") == 6
    assert pages.last_parameter(study, "02_rfm_typology", "horizon_months") == "–"


def test_server_is_for_this_machine_and_shows_no_insides(tmp_path):
    settings = pages.voila_settings(8866, language="de", scratch=tmp_path)
    assert settings["Voila"]["ip"] == "127.0.0.1"
    assert settings["Voila"]["tornado_settings"]["disable_check_xsrf"] is True
    shown = settings["VoilaConfiguration"]
    assert shown["strip_sources"] and not shown["show_tracebacks"]
    assert (shown["allow_template_override"], shown["allow_theme_override"]) == ("NO", "NO")
    assert json.loads(json.dumps(settings)) == settings


def test_command_takes_no_settings_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/elsewhere")
    monkeypatch.setenv("WAAGE_STAGE", "/stage")
    argv, env = pages.voila_command("small", root=tmp_path)
    assert argv[1:] == ["-m", "voila", str(tmp_path / "notebooks" / "pages")]
    assert (env["WAAGE_STUDY"], env["WAAGE_HOME"], env["JUPYTER_NO_CONFIG"]) == ("small", str(tmp_path), "1")
    assert "JUPYTER_CONFIG_PATH" not in env and "WAAGE_STAGE" not in env


def test_what_cannot_be_served_is_said_before_a_server_starts(make_study, home):
    make_study("demo")
    with pytest.raises(WaageError, match=r"no study is called 'dmo' \(did you mean 'demo'\?\); there are demo"):
        pages.serve("dmo", root=home)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(WaageError, match=f"port {port} on 127.0.0.1 is in use"):
            pages.serve("demo", port, root=home)
    for page in (home / "notebooks" / "pages").glob("*.ipynb"):
        page.unlink()
    with pytest.raises(WaageError, match="holds no page to serve"):
        pages.serve("demo", port, root=home)
