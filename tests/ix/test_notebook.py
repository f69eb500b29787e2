"""Notebook 05: from the tables to the sentence, and never empty where the link is refused."""

import re

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from typer.testing import CliRunner

from waage.cli import app
from waage.ix.value import what_if
from waage.publication import read_json
from waage.study import Study

from .study_files import SHORT, SMALL, frames, write_study

QUICK = ("05.resamples=20",)


def run(name: str, *settings: str, only: str = "05"):
    arguments = [part for text in (*QUICK, *settings) for part in ("--set", text)]
    return CliRunner().invoke(app, ["run", name, "--only", only, *arguments])


def report_of(study: Study) -> str:
    return BeautifulSoup((study.reports / "05_ix_linkage.html").read_text(encoding="utf-8"), "html.parser").get_text(
        " "
    )


@pytest.fixture(scope="module")
def tables():
    return frames()


@pytest.fixture(scope="module")
def short():
    return frames(SHORT)


@pytest.mark.slow
def test_the_notebook_says_what_a_point_is_worth_in_both_languages(make_study, tables):
    pytest.importorskip("linearmodels")
    write_study(make_study, tables, accepted=False)
    result = run("shop", only="01,05")
    assert result.exit_code == 0, result.output
    study = Study.open("shop")
    found = {
        name: study.read(name).execute() for name in ("ix_scores", "ix_effects", "ix_checks", "ix_value", "ix_drivers")
    }
    assert list(found["ix_scores"]) == ["unit", "week", "ix", "perception", "goal", "variance", "n"]
    assert found["ix_scores"]["ix"].between(0, 100).all() and found["ix_scores"]["unit"].nunique() == SMALL.units
    own = found["ix_effects"].query("method == 'eiv'").set_index("outcome")["long_run"]
    assert own["visits"] + own["conversion"] + own["basket"] == pytest.approx(own["demand"], abs=1e-10)
    said = found["ix_checks"].set_index("check")
    assert {"link", "limits", "lead", "incidents", "hidden_factor"} <= set(said.index)
    worth = found["ix_value"].set_index(["unit", "measure"]).loc[("all", "demand")]
    assert worth["value"] == pytest.approx(worth["base"] * np.expm1(worth["effect"]))
    change = found["ix_drivers"].query("kind == 'change' and unit == 'all'").set_index("item")["value"]
    assert change.drop(["all", "mix"]).sum() == pytest.approx(change["all"])
    groups = study.read("ix_by_group").execute()
    assert set(groups["split"]) == {"visitor", "intent", "channel"} and groups["value"].isna().all()
    headlines = {
        h["key"]: h for h in read_json(study.reports / "manifest.json")["notebooks"]["05_ix_linkage"]["headlines"]
    }
    assert set(headlines) == {"ix_now", "point_effect", "point_worth", "evidence"}

    text = report_of(study)
    assert said.loc["link", "sentence"] in text and "It holds for moves up to" in text
    assert text.count("Traceback") == 0 and "does not say what one measure will bring" in text
    assert not re.search(r"X\d{3}\d{7}", text), "no response is named"
    before = (study.tables / "ix_scores.parquet").read_bytes(), (study.tables / "ix_value.parquet").read_bytes()

    folder = study.folder
    settings = (folder / "study.yaml").read_text() + "language: de\n"
    (folder / "study.yaml").write_text(settings)
    assert run("shop").exit_code == 0
    text = report_of(Study.open("shop"))
    assert said.loc["link", "sentence_de"] in text and "Warum sich der IX bewegte" in text
    assert "{" not in re.sub(r"\s", "", text).split("Anhang")[0]
    after = (study.tables / "ix_scores.parquet").read_bytes(), (study.tables / "ix_value.parquet").read_bytes()
    assert before == after, "equal input gives equal bytes"


@pytest.mark.slow
def test_a_refused_link_still_shows_score_trend_drivers_and_the_missing_sample(make_study):
    write_study(make_study, frames(share=0.05), language="de")
    result = run("shop")
    assert result.exit_code == 0, result.output
    study, text = Study.open("shop"), report_of(Study.open("shop"))
    checks = study.read("ix_checks").execute().set_index("check")
    assert list(checks.index) == ["limits", "link"] and checks.loc["link", "verdict"] == "failed"
    assert checks.loc["link", "sentence_de"].startswith("Was ein IX-Punkt wert ist, lässt sich aus diesen Daten nicht")
    assert "mal so viele Antworten" in checks.loc["link", "sentence_de"]
    assert not study.has("ix_effects") and not study.has("ix_value")
    drivers = study.read("ix_drivers").execute()
    assert {"change", "weight", "performance", "points"} <= set(drivers["kind"]) and "worth" not in set(drivers["kind"])
    for chapter in (
        "Das Erlebnis jeder Einheit",
        "Warum sich der IX bewegte",
        "Was der Stichprobe fehlt",
        "Verlässlichkeit",
    ):
        assert chapter in text
    index = (study.reports / "index.html").read_text(encoding="utf-8")
    assert "lässt sich nicht sagen" in index


@pytest.mark.slow
def test_without_sales_the_score_stands_alone(make_study, short):
    write_study(make_study, {name: frame for name, frame in short.items() if name not in ("performance", "incidents")})
    assert run("shop").exit_code == 0
    text = report_of(Study.open("shop"))
    assert "the study has no `performance`" in text.replace("performance", "`performance`").replace("``", "`")
    assert "Where each unit stands" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        (lambda t: t | {"items": t["items"].assign(instrument="other")}, "skipped", "no items of the instrument 'ix'"),
        (lambda t: t | {"items": t["items"].assign(construct=None)}, "failed", "not perception or goal"),
        (lambda t: t | {"items": t["items"].assign(scale_max=5.0)}, "failed", "answers lie outside 1-5"),
    ],
    ids=["no_items", "no_construct", "outside_scale"],
)
def test_what_is_wrong_with_the_survey_is_said(make_study, short, change, status, reason):
    write_study(make_study, change(short))
    result = run("shop")
    entry = read_json(Study.open("shop").reports / "manifest.json")["notebooks"]["05_ix_linkage"]
    assert entry["status"] == status and reason in entry["reason"], result.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: p[p["unit"] == p["unit"].iloc[0]], "1 units, fewer than the 8"),
        (lambda p: p[p["week"] == p["week"].max()], "0 periods with all lags"),
        (lambda p: p.assign(demand=p["demand"].where(p.index != 5, 0.0)), "have no log"),
    ],
    ids=["one_unit", "one_week", "zero_demand"],
)
def test_what_sales_cannot_carry_is_a_refusal_and_no_fault(make_study, short, change, reason):
    write_study(make_study, short | {"performance": change(short["performance"])})
    result = run("shop")
    assert result.exit_code == 0, result.output
    study = Study.open("shop")
    said = study.read("ix_checks").execute().set_index("check").loc["link", "sentence"]
    assert reason in said and study.has("ix_scores") and study.has("ix_drivers")


@pytest.mark.slow
def test_gaps_and_a_second_questionnaire(make_study, tables):
    sales = tables["performance"]
    unit = sales["unit"].iloc[0]
    some = sales[(sales["unit"] != unit) | (pd.to_datetime(sales["week"]).dt.month != 3)]
    rows, half = tables["responses"], pd.Timestamp("2025-01-06")
    later = rows[(rows["item"] != "effort") | (rows["responded_at"] < half)]
    write_study(make_study, tables | {"performance": some})
    assert run("shop").exit_code == 0 and Study.open("shop").has("ix_effects")
    write_study(make_study, tables | {"responses": later}, name="two")
    assert run("two").exit_code == 0
    said = Study.open("two").read("ix_checks").execute().set_index("check").loc["link", "sentence"]
    assert "two versions of the questionnaire: effort ends in the week of 2024-12-30" in said


@pytest.mark.slow
def test_parameters_no_calculator_can_answer_and_collinear_controls_are_named(make_study, tables):
    write_study(
        make_study, tables | {"performance": tables["performance"].assign(twice=2 * tables["performance"]["promo"])}
    )
    result = run("shop", "05.delta=-1.0", "05.diversion=2.0")
    assert (
        result.exit_code != 0 and "delta = -1 must be above 0; diversion = 2 must lie between 0 and 1" in result.output
    )
    result = run("shop", "05.controls=[promo, twice]")
    assert result.exit_code != 0 and "twice is a combination of promo" in result.output
    assert run("shop").exit_code == 0, "unasked, it is left out"
    entry = read_json(Study.open("shop").reports / "manifest.json")["notebooks"]["05_ix_linkage"]
    assert any("control left out: twice is a combination of" in text for text in entry["warnings"])


def test_the_table_gives_no_number_outside_its_support():
    table = pd.DataFrame({"base": [1e6], "effect": [0.01], "effect_low": [0.0], "effect_high": [0.02]})
    table = table.assign(support_low=-2.0, support_high=2.0)
    assert what_if(table, 2.5)[["value", "low", "high"]].isna().all(axis=None)
    assert what_if(table, 2.0)["value"].iloc[0] == pytest.approx(1e6 * np.expm1(0.02))
