"""Notebook 02 with a survey, and `waage assign`: what is published, kept and refused."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from waage.cli import app
from waage.engine import DuckDBEngine
from waage.privacy import CUSTOMER_FILE
from waage.study import Study

from .shop import AS_OF, make_shop

QUICK = ("n_init=4", "n_bootstrap=3", "most_types=3", "migration_months=6", "window_months=12")
OBJECTORS = [f"P{i:05d}" for i in range(30, 60)]


@pytest.fixture(scope="module")
def shop():
    return make_shop(persons=1100, asked=520)


def waage(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def run(study: str, *settings: str):
    arguments = [part for text in (*QUICK, *settings) for part in ("--set", f"02.{text}")]
    return waage("run", study, "--only", "01,02", *arguments)


@pytest.fixture
def study(make_study, shop):
    folder = make_study(
        "small",
        {name: f"SELECT * FROM '${{raw}}/{name}.parquet'" for name in (*shop, "consents") if name != "truth"},
        data_until=AS_OF,
        as_of=AS_OF,
        min_cell=10,
        raw="raw",
    )
    (folder / "raw").mkdir()
    consents = pd.DataFrame({"source": "crm", "source_id": OBJECTORS, "purpose": "profiling", "status": "objected"})
    for name, frame in (shop | {"consents": consents.assign(changed_at=pd.Timestamp("2025-01-01"))}).items():
        frame.to_parquet(folder / "raw" / f"{name}.parquet", index=False)
    return folder


@pytest.mark.slow
def test_types_are_found_written_kept_and_given_to_new_customers(study, shop, tmp_path):
    result = run("small")
    assert result.exit_code == 0, result.output
    opened = Study.open("small")
    types = opened.read("types").execute().set_index("person_id")
    people = opened.read("identity_map").execute().set_index("person_id").source_id
    barred = people[people.isin(OBJECTORS)].index
    assert len(types) == len(people) - len(barred) and not types.index.isin(barred).any()

    # The customer file has the behaviour-only type and nothing of an answer.
    out = opened.read("customer_file").execute().set_index("person_id")
    assert set(CUSTOMER_FILE["types"]) == {"type", "type_p", "band"} <= set(out)
    assert out.loc[barred, ["type", "type_p", "band"]].isna().all(axis=None)
    pd.testing.assert_series_equal(out.type.drop(barred).sort_index(), types.type.sort_index())
    report = opened.read("typing_report").execute()
    assert {"choice", "ladder", "typing", "nested", "type", "shares", "drift"} <= set(report.part)
    page = (opened.reports / "02_rfm_typology.html").read_text(encoding="utf-8")
    assert "types of customers" in page and "Every customer's type" in page
    assert not any(person in page for person in [*types.index, *people])

    # A second run uses the kept model, and says the same to the byte.
    first = {
        name: (opened.tables / f"{name}.parquet").read_bytes() for name in ("types", "type_profiles", "typing_report")
    }
    assert run("small").exit_code == 0
    page = (opened.reports / "02_rfm_typology.html").read_text(encoding="utf-8")
    assert "hold until new ones are asked for" in page
    assert first == {name: (opened.tables / f"{name}.parquet").read_bytes() for name in first}

    # New customers: the same behaviour, the same type; objectors keep their row without one.
    listed = waage("assign", "small")
    assert listed.exit_code == 0 and "recency_days" in listed.output and "category_home" in listed.output
    model = opened.kept("types")["types"][-1]
    features = [*model["typing"]["model"]["scales"]]
    new = pd.DataFrame({"person_id": ["007", "008", barred[0]], "acquisition_channel": ["store", "web", "web"]})
    new = new.assign(**dict.fromkeys(features, 1.0)).assign(frequency=[2.0, 0.0, 3.0])
    new.to_csv(tmp_path / "new.csv", index=False)
    done = waage("assign", "small", str(tmp_path / "new.csv"), "--out", str(tmp_path / "typed.parquet"))
    assert done.exit_code == 0, done.output
    assert "1 object to profiling" in done.output
    typed = pd.read_parquet(tmp_path / "typed.parquet").set_index("person_id")
    assert list(typed.index) == sorted(["007", "008", barred[0]])
    prior = model["typing"]["model"]["priors"]["web"]
    assert typed.loc["008", ["p_1", "p_2", "p_3"]].tolist() == pytest.approx(prior) and typed.band["008"] == "unclear"
    assert typed.loc[barred[0]].isna().all()

    wrong = {
        "there is no file": str(tmp_path / "nowhere.parquet"),
        "recency_days (Days since the last order) is missing": write(
            new.drop(columns="recency_days"), tmp_path / "a.csv"
        ),
        "person_id '007' occurs more than once": write(pd.concat([new, new.head(1)]), tmp_path / "b.parquet"),
        "cannot be read as Parquet or CSV": str(tmp_path / "broken.parquet"),
        "person_id is missing (did you mean 'persn_id'?)": write(
            new.rename(columns={"person_id": "persn_id"}), tmp_path / "c.csv"
        ),
    }
    wrong["category_home has values up to 37: shares lie between 0 and 1"] = write(
        new.assign(category_home=37.0), tmp_path / "e.csv"
    )
    wrong["the file holds no customer"] = write(new.head(0), tmp_path / "f.parquet")
    (tmp_path / "broken.parquet").write_text("no parquet")
    wrong["frequency holds 'many', no number: write numbers with a decimal point"] = write(
        new.assign(frequency="many"), tmp_path / "d.parquet"
    )
    for words, file in wrong.items():
        refused = waage("assign", "small", file)
        assert refused.exit_code == 1 and words in " ".join(refused.output.split()), (words, refused.output)


def write(frame: pd.DataFrame, path) -> str:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return str(path)


@pytest.mark.slow
def test_types_that_behaviour_does_not_carry_stay_in_the_survey_unless_forced(study):
    frame = pd.read_parquet(study / "raw" / "responses.parquet")
    ids = frame.source_id.unique()
    # Everybody's answers go to another person: the types are there, and behaviour knows nothing of them.
    moved = dict(zip(ids, [*ids[1:], ids[0]], strict=True))
    frame.assign(source_id=frame.source_id.map(moved)).to_parquet(study / "raw" / "responses.parquet", index=False)
    assert run("small").exit_code == 0
    opened = Study.open("small")
    assert not opened.has("types") and opened.has("type_profiles")
    assert opened.read("customer_file").execute().type.isna().all()
    assert "does not carry this typology" in (opened.reports / "index.html").read_text(encoding="utf-8")
    refused = waage("assign", "small")
    assert refused.exit_code == 1 and "--force types all the same" in " ".join(refused.output.split())
    assert run("small", "force_types=true").exit_code == 0
    opened = Study.open("small")
    assert opened.has("types") and opened.read("customer_file").execute().type.notna().any()
    assert "act on no single one" in (opened.reports / "index.html").read_text(encoding="utf-8")


def test_a_study_without_types_says_so(make_study):
    make_study("small", as_of=None)
    refused = waage("assign", "small", "new.csv")
    assert refused.exit_code == 1 and "keeps no types" in refused.output


def test_ids_of_a_csv_stay_texts(tmp_path):
    engine = DuckDBEngine.open("auto", 1, tmp_path / "spill")
    (tmp_path / "ids.csv").write_text("person_id;visits\n007;1\n010;\n")
    assert engine.read_file(tmp_path / "ids.csv").execute().person_id.tolist() == ["007", "010"]
