"""Touchpoint feedback: distribution of stars, comments in two languages, personal data, invitations, determinism."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from waage.contract import Limits, check
from waage.demo import world
from waage.demo.experience import write_experience
from waage.demo.feedback import TOPICS, TOUCHPOINTS, write_feedback
from waage.demo.files import Files
from waage.demo.panel import write_survey
from waage.demo.people import people
from waage.demo.world import Settings
from waage.engine import open_engine

SETTINGS = Settings(persons=2000, weeks=104, units=4, seed=5)
SOURCES = Path(__file__).resolve().parents[2] / "data" / "demo" / "sources"
CHECKED = ("responses", "items", "units", "performance", "incidents", "invitations", "reference_mix")


def generated(settings: Settings, folder):
    with Files(folder) as out:
        write_experience(settings, out)
        for chunk in range(settings.chunks):
            write_feedback(settings, chunk, people(settings, chunk), out)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return generated(SETTINGS, tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def feedback(folder) -> pd.DataFrame:
    rows = pd.read_csv(folder / "raw" / "feedback.csv", dtype=str).merge(
        pd.read_parquet(folder / "truth" / "feedback.parquet"), on="feedback_id", validate="one_to_one"
    )
    rows["stars"] = rows["stars"].astype(int)
    return rows.merge(people(SETTINGS, 0), on="person_id", suffixes=("", "_true"))


def test_stars_have_the_shape_of_a_j(feedback):
    share = feedback["stars"].value_counts(normalize=True)
    assert 3.6 < feedback["stars"].mean() < 4.3
    assert share[5] == share.max() and share[5] > 0.4
    assert share[1] > share[2] and share[1] > 0.06


def test_touchpoints_differ(feedback):
    by_touchpoint = feedback.groupby("touchpoint")["stars"].agg(["mean", "size"])
    assert set(by_touchpoint.index) == set(TOUCHPOINTS)
    assert by_touchpoint["mean"].max() - by_touchpoint["mean"].min() > 0.2


def test_comments_fit_the_stars_and_the_field(feedback):
    comments = feedback["comment"].dropna()
    assert comments.str.len().between(5, 300).all()
    assert 0.3 < len(comments) / len(feedback) < 0.55
    late = feedback[feedback["comment"].str.contains("Wochen gedauert|took . weeks", na=False)]
    quick = feedback[feedback["comment"].str.contains("Sehr schnelle|Fast delivery", na=False)]
    assert late["stars"].mean() < 2.8 < 4 < quick["stars"].mean()
    assert set(feedback["language"]) == {"de", "en"}
    # A few read 1 as best: praise with one star is there, and rare.
    assert 0 < feedback["mistaken"].sum() < 0.03 * len(feedback)


def test_every_feedback_has_reasons_of_the_list(feedback):
    assert feedback["reasons"].str.split("|").map(set).map(lambda found: found and found <= set(TOPICS)).all()


def test_some_comments_hold_personal_data_and_truth_says_which(feedback):
    held = feedback[feedback["personal"] != ""]
    assert 0.02 < len(held) / feedback["comment"].notna().sum() < 0.08
    assert set(held["personal"]) == {"phone", "email", "name", "staff_name"}
    lower = held["comment"].str.lower()
    for kind, column in (("phone", "mobile"), ("email", "email"), ("name", "last_name")):
        rows = held["personal"] == kind
        assert all(value.lower()[:8] in text for value, text in zip(held[rows][column], lower[rows], strict=True))
    others = feedback.loc[(feedback["personal"] == "") & feedback["comment"].notna(), "comment"]
    assert not others.str.contains(re.compile(r"@\w|\d{6}")).any()


def test_a_part_is_linked_to_web_accounts_that_exist(feedback):
    linked = feedback["web_id"].notna()
    assert 0.2 < linked.mean() < 0.7
    assert (feedback["web_id"] == feedback["web_id_true"])[linked].all()


def test_invitations_account_for_every_feedback(folder, feedback):
    days = pd.read_csv(folder / "raw" / "feedback_invitations.csv")
    assert days["completed"].sum() == len(feedback)
    assert (days["completed"] <= days["invited"]).all()
    rates = days.groupby("touchpoint")[["completed", "invited"]].sum()
    rates = rates["completed"] / rates["invited"]
    assert rates.to_dict() == pytest.approx({name: of[1] for name, of in TOUCHPOINTS.items()}, rel=0.15)


def test_feedback_is_the_same_for_the_same_seed_and_in_chunks_a_row_each(tmp_path, monkeypatch):
    monkeypatch.setattr(world, "CHUNK", 300)
    settings = replace(SETTINGS, persons=700)
    first, again = generated(settings, tmp_path / "a"), generated(settings, tmp_path / "b")
    other = generated(replace(settings, seed=6), tmp_path / "c")
    for name in ("raw/feedback.csv", "raw/feedback_invitations.csv", "truth/feedback.parquet"):
        assert (first / name).read_bytes() == (again / name).read_bytes() != (other / name).read_bytes()
    rows = pd.read_csv(first / "raw" / "feedback.csv", dtype=str)
    assert rows["feedback_id"].is_unique
    assert set(rows["feedback_id"].str[:4]) == {"F000", "F001", "F002"}


# The sources -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """The tables that the surveys' and the shop's sources yield, checked; with the panel's answers."""
    settings = replace(SETTINGS, weeks=30, persons=1200)
    folder = generated(settings, tmp_path_factory.mktemp("mapped"))
    frame = people(settings, 0)
    with Files(tmp_path_factory.mktemp("panel")) as out:
        write_survey(settings, 0, frame, pd.Series(3, index=frame["person_no"]), out)
    for name in ("survey_panel.csv", "survey_items.csv"):
        (out.folder / "raw" / name).rename(folder / "raw" / name)
    engine = open_engine({"memory": "1GB", "threads": 2}, folder / "spill")
    limits = Limits("Europe/Berlin", date(2025, 6, 29))
    found = {
        name: check(engine.source(SOURCES / f"{name}.sql", folder / "raw", name), name, limits) for name in CHECKED
    }
    return folder, found


@pytest.mark.parametrize("name", CHECKED)
def test_every_row_of_the_sources_is_accepted(checked, name):
    result = checked[1][name]
    assert result.rows_quarantined == 0, result.faults
    assert result.rows_accepted > 0


def test_the_answers_arrive_as_they_were_given(checked):
    folder, tables = checked
    answers = tables["responses"].accepted.execute()
    wide = pd.read_parquet(folder / "raw" / "ix_responses.parquet")
    ix = answers[answers["instrument"] == "ix"]
    items = ["find", "ease", "information", "trust", "inspiration", "attained", "effort", "progress"]
    assert len(ix) == wide[items].notna().sum().sum() + 3 * len(wide)
    assert ix["source_id"].isna().all() and ix["unit"].notna().all()
    assert ix.loc[ix["item"] == "find", "value"].sum() == wide["find"].sum()
    found = ix[ix["item"] == "visitor"].set_index("response_id").loc[wide["response_id"]]
    assert (found["text"].to_numpy() == wide["visitor"].to_numpy()).all()
    utc = wide["responded_at"].dt.tz_localize("Europe/Berlin").dt.tz_convert("UTC").dt.tz_localize(None)
    assert (found["responded_at"].to_numpy() == utc.to_numpy()).all()

    given = pd.read_csv(folder / "raw" / "feedback.csv", dtype=str)
    feedback = answers[answers["instrument"] == "feedback"].set_index(["response_id", "item"])
    stars = feedback["value"].xs("stars", level="item").loc[given["feedback_id"]]
    assert stars.tolist() == given["stars"].astype(float).tolist()
    for topic in TOPICS:
        named = given["reasons"].str.split("|").map(lambda found, topic=topic: topic in found)
        ticked = feedback["value"].xs(f"reason_{topic}", level="item").loc[given["feedback_id"]]
        assert (ticked.to_numpy() == named.to_numpy()).all()
    comments = given.dropna(subset="comment").set_index("feedback_id")["comment"]
    assert feedback["text"].xs("comment", level="item").loc[comments.index].tolist() == comments.tolist()

    panel = pd.read_csv(folder / "raw" / "survey_panel.csv", dtype=str)
    typology = answers[answers["instrument"] == "typology"]
    assert typology["response_id"].nunique() == len(panel)
    assert (typology["value"] == -99).sum() == (panel.filter(regex=r"^q\d\d$") == "-99").sum().sum()
    assert set(typology.loc[typology["source"] == "web", "source_id"]) == set(panel["web_id"].dropna())


def test_every_answered_item_is_in_a_codebook(checked):
    tables = checked[1]
    asked = tables["items"].accepted.execute().set_index(["instrument", "item"])
    answers = tables["responses"].accepted.execute()
    assert set(zip(answers["instrument"], answers["item"], strict=True)) == set(asked.index)
    scale = asked[asked["kind"] == "scale"]
    scored = answers.join(scale[["scale_min", "scale_max", "missing_codes"]], on=["instrument", "item"], how="inner")
    outside = scored[~scored["value"].between(scored["scale_min"], scored["scale_max"])]
    assert (outside["value"] == outside["missing_codes"].astype(float)).all()
