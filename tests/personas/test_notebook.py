"""Notebook 03: every finding can be worked out again, and nothing small or unapproved is shown."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from typer.testing import CliRunner

from waage import personas
from waage.cli import app
from waage.study import Study

from ..typology.shop import AS_OF, make_shop
from .walking import members_of, walk

QUICK = ("02.n_init=4", "02.n_bootstrap=3", "02.most_types=3", "02.migration_months=6", "02.window_months=12")
COMMENTS = (
    "Bitte mehr Auswahl bei den Jacken, {} die Beratung war wirklich sehr nett und hilfreich.",
    "Die Lieferung kam {} schneller als gedacht, dafür war die Verpackung viel zu groß.",
    "I would like {} to see more colours and better photographs of the fabric in the shop.",
)


def run(study: str, *settings: str, only: str = "01,02,03"):
    quick = QUICK if "02" in only else ()
    arguments = [part for text in (*quick, *settings) for part in ("--set", text)]
    result = CliRunner().invoke(app, ["run", study, "--only", only, *arguments])
    assert result.exit_code == 0, result.output
    return Study.open(study)


def write(make_study, name: str, shop: dict, **settings):
    frames = {table: frame for table, frame in shop.items() if table != "truth"}
    sources = {table: f"SELECT * FROM '${{raw}}/{table}.parquet'" for table in frames}
    folder = make_study(name, sources, data_until=AS_OF, as_of=AS_OF, min_cell=10, raw="raw", **settings)
    (folder / "raw").mkdir()
    for table, frame in frames.items():
        frame.to_parquet(folder / "raw" / f"{table}.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def shop():
    """The shop with comments, half of them from persons who agreed to their use, and a phone number in each."""
    shop = make_shop(persons=1100, asked=560, carry=2.0)
    asked = shop["responses"].drop_duplicates("response_id").head(400)
    rng = np.random.default_rng(1)
    texts = [
        rng.choice(COMMENTS).format(rng.choice(["leider", "zum Glück", "always", "never", "oft"])) for _ in range(400)
    ]
    numbers = [f" Tel. 0171 {i:07d}" for i in range(400)]
    said = asked.assign(item="comment", value=None, text=[a + b for a, b in zip(texts, numbers, strict=True)])
    book = shop["items"].iloc[:1].assign(item="comment", kind="comment", label="Comment", label_de="Kommentar")
    consents = pd.DataFrame({"source": "crm", "source_id": asked.source_id.iloc[::2], "purpose": "survey"})
    consents = consents.assign(status="granted", changed_at=pd.Timestamp("2025-01-01"))
    return shop | {
        "responses": pd.concat([shop["responses"], said], ignore_index=True),
        "items": pd.concat([shop["items"], book.assign(scale_min=None, scale_max=None)], ignore_index=True),
        "consents": consents,
    }


@pytest.mark.slow
def test_personas_of_types_from_the_tables_to_the_page(make_study, shop):
    folder = write(make_study, "small", shop, personas="{labels: {type_1: {en: 'The <b>first</b>', de: Die Ersten}}}")
    study = run("small")
    table = study.read("findings").execute()
    assert walk(members_of(study), table) > 40
    shown = table[table["n"].notna()]
    assert (shown.n[shown.source_table == "responses"] >= 30).all() and (shown.n >= 10).all()

    stored = study.read("personas").execute()
    documents, quotes = personas.read_stored(stored, "en")
    german, _ = personas.read_stored(stored, "de")
    assert documents[0]["label"] == "The <b>first</b>" and german[0]["label"] == "Die Ersten"
    known = set(table.id)
    for one in [*documents, *german]:
        assert 5 <= len(one["sentences"]) <= 7 or one["silence"]
        for sentence in one["sentences"]:
            assert sentence["finding_ids"] and set(sentence["finding_ids"]) <= known
        assert "omposite" in one["composite"] or "verdichtet" in one["composite"].lower()
        assert one["recognise"]["rule"]
    assert quotes.empty, "nobody has approved anything"

    report = (study.reports / "03_personas.html").read_text(encoding="utf-8")
    posters = [(study.reports / f"personas_{language}.html").read_text(encoding="utf-8") for language in ("en", "de")]
    people = study.read("identity_map").execute()
    for page in (report, *posters):
        assert "<b>first</b>" not in page and "0171" not in page
        assert not any(person in page for person in [*people.person_id, *people.source_id])
    contents = BeautifulSoup(report, "html.parser").find("nav", class_="contents")
    assert next(link.text for link in contents.find_all("a")) == "A page for each persona", "not the heads of posters"

    # Quotes: candidates wait in the file; what is approved is shown, the phone number is not.
    review = pd.read_csv(folder / "quotes.csv", keep_default_na=False)
    assert len(review) and (review.decision == "").all() and not review.text.str.contains("0171").any()
    agreed = set(shop["consents"].source_id)
    told = shop["responses"][shop["responses"].item == "comment"]
    allowed = " ".join(told.text[told.source_id.isin(agreed)])
    assert all(re.split(r" Tel\.| \[", text)[0] in allowed for text in review.text)
    review.loc[review.index[0], "decision"] = "approve"
    review.to_csv(folder / "quotes.csv", index=False)
    study = run("small", only="03")
    _, quotes = personas.read_stored(study.read("personas").execute(), "en")
    assert quotes.text.tolist() == [review.text[0]]
    page = (study.reports / "personas_en.html").read_text(encoding="utf-8")
    assert quotes.text[0][:40] in BeautifulSoup(page, "html.parser").get_text()

    # The same again, to the byte.
    before = (study.tables / "personas.parquet").read_bytes()
    assert (run("small", only="03").tables / "personas.parquet").read_bytes() == before


@pytest.mark.slow
def test_segments_stand_in_where_nobody_was_asked(make_study, shop):
    without = {name: frame for name, frame in shop.items() if name not in ("responses", "items", "consents")}
    write(make_study, "asked_nobody", without, language="de")
    study = run("asked_nobody")
    assert study.read("rfm").segment.nunique().execute() >= 3
    table = study.read("findings").execute()
    assert walk(members_of(study), table) > 20
    sizes = study.read("rfm").execute().segment.value_counts()
    assert set(table.type) <= set(sizes.index[sizes >= 10])
    documents, _ = personas.read_stored(study.read("personas").execute(), "de")
    assert {one["basis"]["header"] for one in documents} == {"RFM-Segmente statt Typen: Keine Befragung trägt welche"}
    share = sizes / sizes.sum()
    for one in documents:
        assert one["size"]["share"] == pytest.approx(share[one["type"]], abs=0.02)
    report = (study.reports / "03_personas.html").read_text(encoding="utf-8")
    assert json.loads(study.read("personas").execute().document[0]) and "Eine Seite je Persona" in report
