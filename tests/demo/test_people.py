"""Persons, identities, consents, campaigns and the typology survey: determinism, contract, realism."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import cross_val_predict

from waage.contract import Limits, check
from waage.demo import world
from waage.demo.files import Files
from waage.demo.identities import write_people
from waage.demo.panel import MOTIVES, NO_ANSWER, SETS, codebook, draw_answers, write_survey
from waage.demo.people import campaign_contacts, campaign_effects, people, scatter
from waage.demo.purchases import write_purchases
from waage.demo.world import INCENTIVES, TYPES, Settings
from waage.errors import WaageError

from .simple_rules import clusters, pair_scores

SOURCES = Path(__file__).resolve().parents[2] / "data" / "demo" / "sources"
OURS = ("webshop_accounts.csv", "loyalty_cards.csv", "newsletter.jsonl", "app_profiles.parquet", "consents.csv")
SURVEY = ("survey_panel.csv", "survey_items.csv")


def generate(settings: Settings, folder: Path) -> None:
    with Files(folder) as out:
        for chunk in range(settings.chunks):
            frame = people(settings, chunk)
            write_people(settings, chunk, frame, out)
            orders = write_purchases(settings, chunk, frame, campaign_contacts(settings, chunk, frame), out)
            write_survey(settings, chunk, frame, orders, out)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(persons=12_000)


@pytest.fixture(scope="module")
def persons(settings) -> pd.DataFrame:
    return people(settings, 0)


@pytest.fixture(scope="module")
def folder(settings, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    generate(settings, folder)
    return folder


@pytest.fixture(scope="module")
def checked(duck, folder, settings):
    limits = Limits("Europe/Berlin", settings.last_day)

    def run(name: str):
        sql = (SOURCES / f"{name}.sql").read_text(encoding="utf-8").replace("${raw}", str(folder / "raw"))
        return check(duck.sql(sql), name, limits)

    return {name: run(name) for name in ("identities", "consents", "campaigns", "contacts")}


@pytest.fixture(scope="module")
def records(checked, folder) -> pd.DataFrame:
    """Accepted identity rows with the true person of each."""
    truth = pd.read_parquet(folder / "truth" / "identities.parquet")
    assert not truth.duplicated(["source", "source_id"]).any()
    return checked["identities"].accepted.execute().merge(truth, on=["source", "source_id"], how="left")


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        generate(Settings(persons=300, weeks=60, seed=seed), tmp_path / name)
    first, again, other = (digests(tmp_path / name) for name in "abc")
    assert first == again
    same = {name for name in first if first[name] == other[name]}
    # Codebook, campaign plan and effects hold no chance.
    assert same == {"raw/survey_items.csv", "raw/campaigns.csv", "truth/campaign_effects.parquet"}


def test_chunks_append_to_the_same_files_and_share_no_id(tmp_path, monkeypatch):
    monkeypatch.setattr(world, "CHUNK", 200)
    settings = Settings(persons=500, weeks=60, junk=0)
    assert settings.chunks == 3
    generate(settings, tmp_path)
    frame = pd.concat([people(settings, chunk) for chunk in range(3)])
    assert frame.person_no.tolist() == list(range(500))
    for column in ("person_id", "email", "mobile", "web_id", "card_id", "news_id", "app_id", "device_id"):
        assert frame[column].dropna().is_unique, column
    assert set(frame.email).isdisjoint(frame.email2.dropna())
    assert frame.groupby("household_no").street.nunique().max() == 1
    truth = pd.read_parquet(tmp_path / "truth" / "identities.parquet")
    assert not truth.duplicated(["source", "source_id"]).any()
    cards = pd.read_csv(tmp_path / "raw" / "loyalty_cards.csv", sep=";", encoding="latin-1", dtype=str)
    assert set(cards.Kartennummer) == set(frame.card_id.dropna())
    assert not list((tmp_path / "raw").glob("*.partial"))


def test_unfinished_files_are_removed_after_an_error(tmp_path):
    with pytest.raises(WaageError, match=r"t\.parquet: a later chunk does not fit"), Files(tmp_path) as out:
        out.csv("a", pd.DataFrame({"x": [1]}))
        out.truth("t", pd.DataFrame({"x": [1]}))
        out.truth("t", pd.DataFrame({"x": ["word"]}))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_scatter_is_one_to_one():
    for size in (10**7, 10**8, 10**12):
        assert len(np.unique(scatter(np.arange(200_000), size, seed=7, salt=3))) == 200_000


def test_people_are_plausible(persons):
    assert persons[["p_web", "p_app", "p_store"]].sum(axis=1).to_numpy() == pytest.approx(1)
    assert persons[[f"t_{name}" for name in world.ASSORTMENTS]].sum(axis=1).to_numpy() == pytest.approx(1)
    share = persons.type.value_counts(normalize=True)
    assert share.index.nunique() == len(TYPES)
    assert share.between(0.1, 0.35).all()
    size = persons.groupby("household_no").size()
    assert 1.4 < size.mean() < 2.0
    assert persons.moved.notna().mean() == pytest.approx(0.07, abs=0.015)
    assert persons.email2.notna().mean() == pytest.approx(0.10, abs=0.03)
    assert persons.postcode.str.fullmatch(r"\d{5}").all()
    assert persons.email.str.endswith(".example").all()  # nobody real can be written to
    assert (persons.lapse_day > persons.acquired).all()


def test_sources_are_accepted_but_for_the_expected_rows(checked, folder):
    expected = pd.read_parquet(folder / "truth" / "quarantine.parquet")
    for name, result in checked.items():
        found = result.quarantined.execute()[["table", "key", "reason"]]
        due = expected[expected.table == name]
        assert sorted(found.itertuples(index=False, name=None)) == sorted(due.itertuples(index=False, name=None))
    reasons = set(expected[expected.table == "identities"].reason)
    assert {"test account", "is an exact copy of another row"} <= reasons


def test_every_identity_has_its_true_person(records):
    assert records.person_id.notna().all()
    assert set(records.source) == {"web", "card", "news", "app", "guest", "ereceipt", "panel"}
    per_person = records.groupby("person_id").source.nunique()
    assert per_person.between(1, 7).all()
    assert (per_person >= 3).mean() > 0.15


def test_fields_are_missing_as_often_as_in_reality(records):
    missing = records.isna().mean()
    for column, share in {"email": 0.18, "phone": 0.50, "loyalty_id": 0.79, "birth_date": 0.70}.items():
        assert missing[column] == pytest.approx(share, abs=0.06), column
    assert records.loyalty_id.dropna().str.startswith("00").all()


def test_identity_is_neither_trivial_nor_hopeless(records):
    found = pd.Series(clusters(records))
    one = (
        pd.DataFrame({"found": found, "person": records.person_id}).groupby([records.source, records.source_id]).first()
    )
    precision, recall, f1 = pair_scores(one.found.to_numpy(), one.person.to_numpy())
    assert 0.83 <= f1 <= 0.90, (precision, recall, f1)
    assert precision > 0.93
    mails_only = records.assign(phone=None, loyalty_id=None, first_name=None)
    one["found"] = pd.Series(clusters(mails_only)).groupby([records.source, records.source_id]).first()
    assert pair_scores(one.found.to_numpy(), one.person.to_numpy())[2] < f1 - 0.02


def test_pair_scores_of_a_known_case():
    # Three true pairs (a) and none (b); found: one of them right, one wrong.
    assert pair_scores(np.array([0, 0, 1, 1]), np.array(["a", "a", "a", "b"])) == pytest.approx((0.5, 1 / 3, 0.4))


def test_consents_contradict_and_change(checked, records, folder):
    acts = checked["consents"].accepted.execute()
    truth = pd.read_parquet(folder / "truth" / "identities.parquet")
    known = set(zip(truth.source, truth.source_id, strict=True))
    assert {(s, i) for s, i in zip(acts.source, acts.source_id, strict=True)} <= known
    newest = acts.sort_values("changed_at").groupby(["source", "source_id", "purpose", "channel"], dropna=False)
    assert 0.03 < (newest.size() > 1).mean() < 0.3
    last = newest.status.last().reset_index().merge(records[["source", "source_id", "person_id"]].drop_duplicates())
    mails = last[(last.purpose == "advertising") & (last.channel == "email")]
    assert 0.05 < (mails.groupby("person_id").status.nunique() > 1).mean() < 0.4
    assert set(acts.status) == {"granted", "withdrawn", "objected"}


def test_campaign_controls_are_held_out_at_random(settings, persons, checked):
    plan = campaign_contacts(settings, 0, persons)
    assert plan.treated.mean() == pytest.approx(0.7, abs=0.02)
    rates = plan.merge(persons[["person_no", "rate", "type"]]).groupby("treated").rate.agg(["mean", "sem"])
    assert abs(rates["mean"].diff().iloc[1]) < 4 * np.hypot(*rates["sem"])
    assert not plan.duplicated(["campaign_no", "person_no"]).any()
    assert len(plan) == checked["contacts"].rows_accepted
    effects = campaign_effects()
    assert effects.shape == (len(INCENTIVES), len(TYPES))
    # No incentive is best for all: targeting by type must be worth something.
    assert len(set(effects.argmax(axis=0))) == len(INCENTIVES)


def test_survey_answers_fit_the_codebook(folder, persons):
    wide = pd.read_csv(folder / "raw" / "survey_panel.csv", dtype={"web_id": str})
    book = pd.read_csv(folder / "raw" / "survey_items.csv")
    assert set(book.item) <= set(wide.columns)
    assert len(book) == len(codebook())
    scales = book[book.kind == "scale"].item
    assert set(np.unique(wide[scales])) == {NO_ANSWER, 1, 2, 3, 4, 5}
    assert (book[book.item == "q08"].best == "min").all()
    assert 0.07 <= len(wide) / len(persons) <= 0.095
    truth = pd.read_parquet(folder / "truth" / "survey.parquet").set_index("response_id")
    straight = truth.straight_liner.loc[wide.response_id].to_numpy()
    answers = wide[scales].where(wide[scales] != NO_ANSWER)
    assert (answers[straight].nunique(axis=1) <= 1).all()
    assert wide.comment.dropna().str.contains("@|0150|0158", regex=True).any()
    for number, shown in enumerate(SETS, start=1):
        assert set(wide[f"m{number}_best"].dropna()) == {MOTIVES[m] for m in shown}
        assert (wide[f"m{number}_best"].dropna() != wide[f"m{number}_worst"].dropna()).all()


def test_heavy_buyers_answer_more(folder, persons):
    truth = pd.read_parquet(folder / "truth" / "survey.parquet")
    answered = persons.person_id.isin(truth.person_id)
    assert persons.rate[answered].mean() > 1.15 * persons.rate[~answered].mean()


def test_survey_tells_the_type_but_not_always(persons):
    sample = persons[persons.in_panel]
    answers, _ = draw_answers(np.random.default_rng(0), sample)
    items = answers.filter(regex=r"^q\d\d$").replace(NO_ANSWER, np.nan)
    found = cross_val_predict(LinearDiscriminantAnalysis(), items.fillna(items.mean()), sample.type, cv=5)
    assert 0.83 <= (found == sample.type).mean() <= 0.90
