"""Notebook 04 as readers get it: in German, with types, without a person, and the same again."""

import re

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from typer.testing import CliRunner

from waage.cli import app
from waage.clv import chapters
from waage.manifest import read_json
from waage.study import Study

from ..typology.shop import AS_OF, make_shop

QUICK = ("02.n_init=4", "02.n_bootstrap=3", "02.most_types=3")


def run(study: str, only: str, *settings: str):
    arguments = [part for text in settings for part in ("--set", text)]
    return CliRunner().invoke(app, ["run", study, "--only", only, *arguments])


def write(make_study, name: str, frames: dict, **settings):
    sources = {table: f"SELECT * FROM '${{raw}}/{table}.parquet'" for table in frames}
    folder = make_study(name, sources, data_until=AS_OF, as_of=AS_OF, min_cell=10, raw="raw", **settings)
    (folder / "raw").mkdir()
    for table, frame in frames.items():
        frame.to_parquet(folder / "raw" / f"{table}.parquet", index=False)


@pytest.fixture(scope="module")
def shop():
    """A shop whose behaviour carries its types; three customers object to profiling."""
    shop = make_shop(persons=1100, asked=560, carry=2.0)
    against = shop["orders"].drop_duplicates("source_id").iloc[:3]
    consents = pd.DataFrame({"source": against["source"], "source_id": against["source_id"], "purpose": "profiling"})
    consents = consents.assign(status="objected", changed_at=pd.Timestamp("2025-01-01"))
    return {name: frame for name, frame in shop.items() if name != "truth"} | {"consents": consents}


@pytest.mark.slow
def test_a_german_report_with_types_and_no_person(home, make_study, shop):
    write(make_study, "wert", shop, language="de")
    done = run("wert", "01,02,04", *QUICK, "04_clv.draws=40")
    assert done.exit_code == 0, done.output
    study = Study.open("wert")
    assert study.has("types") and study.has("clv"), done.output
    entry = read_json(study.reports / "manifest.json")["notebooks"]["04_clv"]
    assert {"rfm", "types"} <= set(entry["inputs"])
    assert {one["key"] for one in entry["headlines"]} == {
        "clv_total", "expected_orders", "backtest_bias", "backtest_revenue_bias",
    }  # fmt: skip
    value = study.read("clv").execute()
    known = study.read("customer_orders").execute()
    known = known.loc[known["counts"], "person_id"].nunique()
    assert len(value) == known - 3, "who objects to profiling has no value"
    assert value[["p_alive", "clv", "value_12m", "T"]].notna().all().all() and (value["T"] >= 0).all()
    assert (value["clv_low"] <= value["clv_high"]).all()
    tested = set(study.read("clv_backtest").execute()["model"])
    assert {"zero", "same_count", "same_rate", "last_window", "segment_mean", "trees"} <= tested

    html = (study.reports / "04_clv.html").read_text(encoding="utf-8")
    page = BeautifulSoup(html, "html.parser")
    text = page.get_text(" ")
    assert len(page.find_all("img")) >= 3 and "Traceback" not in text
    for key, (_, english, german, told) in chapters._CHAPTERS.items():
        if key == "truth":  # of simulated studies alone
            continue
        assert german in text and told.split("*")[0].split("`")[0] in text, key
        assert not english or english[:40] not in text, key
    for word in ("Typ 1", "Champions", "Gruppe"):
        assert word in text
    assert not [person for person in value["person_id"] if person in text], "a list of persons is no report"
    cells = [cell.get_text() for cell in page.find_all("td")]
    assert not [cell for cell in cells if re.search(r"nan|NaN|None|_", cell) and not cell.startswith("p ")]

    again = run("wert", "04", "04_clv.draws=40")
    assert again.exit_code == 0, again.output
    assert read_json(study.reports / "manifest.json")["notebooks"]["04_clv"]["outputs"] == entry["outputs"]


@pytest.mark.slow
def test_a_wrong_parameter_is_named_and_nothing_is_written(home, make_study, shop):
    write(make_study, "wrong", {"orders": shop["orders"]})
    first = run("wrong", "01")
    assert first.exit_code == 0, first.output
    for setting, said in (
        ("time_unit=months", "time_unit 'months'"),
        ("holdout_weeks=500", "leaves fewer than 28 days"),
        ("model=gompertz", "model 'gompertz' was not fitted"),
        ("plan=[1000.0]", "plan has 1 amounts"),
    ):
        result = run("wrong", "04", f"04_clv.{setting}", "04_clv.draws=20")
        assert said in result.output, result.output
        assert not Study.open("wrong").has("clv")
