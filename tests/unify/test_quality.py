"""How good the links are without labels: errors, contradictions, known pairs, sensitivity, masked examples."""

import re
from datetime import date
from pathlib import Path

import ibis
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waage.contract import Limits, check
from waage.demo import Settings as Simulation
from waage.demo import generate
from waage.errors import WaageError
from waage.stats import wilson
from waage.unify.decisions import Decision
from waage.unify.normalise import normalise
from waage.unify.quality import (
    cluster_sizes,
    contradictions,
    examples,
    largest,
    link_error,
    mask,
    unlinkables,
    weight_histogram,
)
from waage.unify.quality_plots import plot_rules, plot_sensitivity, plot_weights
from waage.unify.rerun import known_pairs, rerun, sensitivity
from waage.unify.resolve import Resolution, Settings, resolve

SOURCES = Path(__file__).resolve().parents[2] / "data" / "demo" / "sources"
AS_OF = date(2025, 6, 30)
KEY = ["source", "source_id"]


class Demo:
    """The small retailer: identities, records, orders, resolution, and the map as it was before anything was asked."""

    def __init__(self, folder: Path):
        settings = Simulation(persons=3000, weeks=60, units=4)
        generate(settings, folder)
        self.backend = ibis.duckdb.connect()
        for setting in (f"temp_directory = '{folder / 'spill'}'", "memory_limit = '2GB'", "TimeZone = 'UTC'"):
            self.backend.raw_sql(f"SET {setting}")
        self.identities = self._accepted("identities", folder, settings.last_day)
        orders = self._accepted("orders", folder, settings.last_day)
        self.orders = orders.mutate(day=orders.ordered_at.date(), net_revenue=orders.revenue)
        self.as_of = settings.last_day
        self.records = normalise(self.identities)
        self.resolution = resolve(self.records)
        self.map = self.current()

    def _accepted(self, name: str, folder: Path, last: date):
        rows = self.backend.sql((SOURCES / f"{name}.sql").read_text("utf-8").replace("${raw}", str(folder / "raw")))
        accepted = check(rows, name, Limits("Europe/Berlin", last)).accepted
        return self.backend.create_table(name, accepted, temp=True)

    def current(self) -> pd.DataFrame:
        return self.resolution.identity_map.order_by(KEY).execute()


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Demo:
    return Demo(tmp_path_factory.mktemp("retailer"))


EDGES = {**dict.fromkeys(["source_a", "source_id_a", "source_b", "source_id_b", "rule", "agreed", "contradicted",
                          "status"], "string"), "weight": "float64", "probability": "float64"}  # fmt: skip


def edges(*rows: tuple):
    """Edges from (status, weight, probability)."""
    frame = pd.DataFrame(
        [("web", f"{i}", "card", f"{i}", "model", "", None, *row) for i, row in enumerate(rows)], columns=list(EDGES)
    )
    return ibis.memtable(frame, schema=ibis.schema(EDGES))


def ids(*sizes: int):
    """An identity map with persons of these many ids."""
    rows = [("web", f"{person}-{i}", f"p{person}") for person, size in enumerate(sizes) for i in range(size)]
    return ibis.memtable(pd.DataFrame(rows, columns=[*KEY, "person_id"]))


SAID = ["person_id", "source_id", "updated_at", "first_name", "last_name", "birth_date", "loyalty_id", "gender"]


def said(duck, *rows: tuple):
    """Records and map from rows of `SAID`; person p owns ids whatever they say."""
    frame = pd.DataFrame([dict(zip(SAID, row, strict=False)) for row in rows], columns=SAID, dtype=object)
    frame = frame.assign(
        updated_at=pd.to_datetime(frame["updated_at"]), record=range(len(frame)), source="web", email=None, phone=None,
        device_id=None, street=None,
    )  # fmt: skip
    texts = ["person_id", "source_id", "first_name", "last_name", "birth_date", "loyalty_id", "gender", "source",
             "email", "phone", "device_id", "street"]  # fmt: skip
    schema = dict.fromkeys(texts, "string") | {"updated_at": "timestamp", "record": "int64"}
    table = duck.create_table(
        ibis.util.gen_name("said"), ibis.memtable(frame[list(schema)], schema=ibis.schema(schema)), temp=True
    )
    return table.drop("person_id"), table.select(*KEY, "person_id").distinct()


def test_expected_wrong_links_are_summed_over_accepted_ones():
    found = link_error(edges(("linked", None, 0.99), ("linked", 3.0, 0.9), ("review", 1.0, 0.6), ("linked", None, 1.0)))
    assert found.links == 3
    assert found.expected_wrong == pytest.approx(0.11) and found.one_in == pytest.approx(3 / 0.11)
    assert link_error(edges(("review", 1.0, 0.6))) == (0, 0.0, np.inf)


def test_sizes_are_binned_and_small_groups_are_hidden():
    table = cluster_sizes(ids(*[1] * 20, *[2] * 12, *[5] * 10, 7, 40)).set_index("size")
    assert table.index.tolist() == ["1", "2", "3", "4-5", "6-10", "11-20", "21+"]
    assert table.loc["1"].tolist() == [20, 20, pytest.approx(20 / 44), pytest.approx(20 / 141)]
    # Two persons could be had as the total minus the others, so the smallest group left is hidden too.
    assert table["ids"].isna().tolist() == [False, False, False, True, True, False, True]
    assert table.loc["3", "persons"] == 0
    assert cluster_sizes(ids(*[1] * 20, 40), min_cell=1)["ids"].sum() == 60
    assert largest(ids(1, 1, 7, 40, 7), 3) == [40, 7, 7] and largest(ids(1), 5) == [1]


def test_contradictions_count_persons_once_and_only_comparable_ones(duck):
    records, mapping = said(
        duck,
        ("p1", "a", "2024-01-01", "anna", "mueller", "1980-01-02", "C1", "f"),
        ("p1", "b", "2024-01-01", "ana", "mueller", "1980-01-02", "C2", "f"),  # a misspelling
        ("p2", "c", "2023-01-01", "klaus", "berg", "1970-05-06", None, "m"),  # corrected later
        ("p2", "c", "2024-01-01", "petra", "berg", "1970-05-06", None, "f"),
        ("p2", "d", "2024-01-01", "petra", "berg", "1971-11-30", None, "m"),
        ("p3", "e", "2024-01-01", "otto", "kuhn", None, "C3", None),
        ("p3", "f", "2024-01-01", "wilma", "kuhn", None, "junk", None),
        ("p4", "g", "2024-01-01", "otto", "kuhn", "1999-09-09", "C4", "m"),  # one id: nothing to contradict
        ("p5", "h", "2024-01-01", "otto", None, None, None, None),
        ("p5", "i", "2025-01-01", "o", None, None, None, None),
        ("p5", "j", "2024-01-01", "otto", None, None, None, None),
    )
    blocked = pd.DataFrame({"identifier": ["loyalty_id"], "value": ["junk"]})
    table = contradictions(mapping, records, blocked, min_cell=1).set_index("field")
    columns = ["persons", "differing", "contradicting"]
    assert table.loc["first_name", columns].tolist() == [4, 3, 1]
    assert table.loc["birth_date", columns].tolist() == [2, 1, 1]
    assert table.loc["loyalty_id", columns].tolist() == [1, 1, 1], "a blocked card identifies nobody"
    assert table.loc["gender", columns].tolist() == [2, 1, 1]
    assert tuple(table.loc["gender", ["low", "high"]]) == pytest.approx(wilson(1, 2))
    assert contradictions(mapping, records).drop(columns="field").isna().all(axis=None)


def test_who_says_nothing_cannot_be_linked(duck):
    records, _ = said(
        duck,
        ("-", "a", "2024-01-01", "anna", "mueller", "1980-01-02"),
        ("-", "b", "2024-01-01", "anna", "mueller"),
        ("-", "c", "2024-01-01", None, None, None, "junk"),
        ("-", "d", "2024-01-01", None, None, None, "C1"),
        ("-", "e", "2024-01-01", None, None, None),
        ("-", "e", "2024-02-01", None, None, None, "C2"),
    )
    blocked = pd.DataFrame({"identifier": ["loyalty_id"], "value": ["junk"]})
    bare = ibis.memtable(pd.DataFrame({"source": ["web", "till"], "source_id": ["a", "1"]}))
    table = unlinkables(records, blocked, bare, min_cell=1)
    assert table[["source", "ids", "unlinkable", "share"]].to_numpy().tolist() == [
        ["till", 1, 1, 1],
        ["web", 5, 2, 0.4],
    ]
    assert unlinkables(records, None, min_cell=1)["unlinkable"].tolist() == [1]
    assert unlinkables(records)["share"].isna().all()


def test_weights_are_counted_in_bins():
    bins = weight_histogram(edges(("linked", 2.0, 0.8), ("linked", 3.9, 0.9), ("rejected", -0.1, 0.4),
                                  ("linked", None, 1.0)), 2)  # fmt: skip
    assert bins.to_numpy().tolist() == [[-2.0, "rejected", 1], [2.0, "linked", 2]]


def test_a_rerun_leaves_the_first_resolution_alone(demo):
    with rerun(demo.resolution, demo.records) as again:
        assert not again.trained
        pd.testing.assert_frame_equal(again.identity_map.order_by(KEY).execute(), demo.map)
        held = again.identity_map
    with rerun(demo.resolution, demo.records, settings=Settings(threshold=0.999, review_from=0.5)) as other:
        assert other.identity_map.person_id.nunique().execute() > demo.map["person_id"].nunique()
    pd.testing.assert_frame_equal(demo.current(), demo.map)
    with pytest.raises(Exception, match=r"closed|Closed"):
        held.count().execute()
    assert not [name for name in demo.backend.list_tables() if "again" in name]


def test_pairs_of_a_hidden_card_are_found_by_other_means(demo):
    table = known_pairs(demo.resolution, demo.records)
    every = table.iloc[0]
    assert every["source_a"] == "all" and every["pairs"] > 200
    assert 0.6 < every["low"] < every["recall"] < every["high"] < 1
    cells = table.iloc[1:].dropna()
    assert cells["pairs"].sum() == every["pairs"] and cells["found"].sum() == every["found"]
    pd.testing.assert_frame_equal(demo.current(), demo.map)
    few = known_pairs(demo.resolution, demo.records, most=50)
    assert few.loc[0, "pairs"] == 50
    assert known_pairs(demo.resolution, demo.records, most=5)[["pairs", "recall"]].isna().all(axis=None)
    with pytest.raises(WaageError, match="did you mean 'email'"):
        known_pairs(demo.resolution, demo.records, identifier="emial")


def test_known_pairs_need_the_identifier_alone(duck):
    frame = pd.DataFrame(
        {"source": ["web", "card"] * 2, "source_id": ["1", "1", "2", "2"], "loyalty_id": ["C1", "C1", "C2", "C2"],
         "email": ["a@x.de", "a@x.de", None, None]}
    )  # fmt: skip
    backend = ibis.duckdb.connect()
    records = normalise(backend.create_table("identities", frame))
    resolution = resolve(records)
    assert resolution.identity_map.person_id.nunique().execute() == 2
    table = known_pairs(resolution, records, min_cell=1)
    assert table[["source_a", "pairs", "found"]].to_numpy().tolist() == [["all", 2, 1], ["card", 2, 1]]
    nothing = known_pairs(resolution, records, identifier="phone", min_cell=1)
    assert nothing[["pairs", "found"]].to_numpy().tolist() == [[0, 0]] and np.isnan(nothing.loc[0, "recall"])


def test_sensitivity_moves_around_the_resolution(demo):
    table = sensitivity(demo.resolution, demo.records, demo.orders, as_of=demo.as_of)
    assert table["threshold"].tolist() == [0.5, 0.8, 0.95] and table["default"].tolist() == [False, True, False]
    assert table["persons"].is_monotonic_increasing and table["active_customers"].is_monotonic_increasing
    default = table.loc[1]
    assert default["persons"] == demo.map["person_id"].nunique()
    assert default[["persons_change", "active_customers_change", "revenue_per_head_change"]].tolist() == [0, 0, 0]
    orders = demo.orders.execute()
    kept = orders[(pd.to_datetime(orders["day"]) > pd.Timestamp(demo.as_of) - pd.DateOffset(months=12))
                  & (orders["status"] != "cancelled")].merge(demo.map, on=KEY)  # fmt: skip
    assert default["active_customers"] == kept["person_id"].nunique()
    assert default["revenue_per_head"] == pytest.approx(float(kept["net_revenue"].sum()) / kept["person_id"].nunique())
    # Resolved again at the default, the figures are those of the resolution itself.
    with rerun(demo.resolution, demo.records) as again:
        assert again.identity_map.person_id.nunique().execute() == default["persons"]
    moved = sensitivity(
        demo.resolution, demo.records, demo.orders, as_of=demo.as_of, thresholds=(0.8,),
        settings=Settings(threshold=0.95),
    )  # fmt: skip
    assert moved["threshold"].tolist() == [0.8, 0.95] and moved.loc[0, "persons"] == default["persons"]
    pd.testing.assert_frame_equal(demo.current(), demo.map)


def test_decisions_hold_at_every_threshold(demo):
    one, two = demo.map.drop_duplicates("person_id").iloc[:2][KEY].to_numpy()
    decision = Decision("link", tuple(one), tuple(two), line=2)
    with rerun(demo.resolution, demo.records, decisions=[decision]) as again:
        found = again.identity_map.execute().set_index(KEY)["person_id"]
    assert found[tuple(one)] == found[tuple(two)]


def test_few_customers_are_hidden(demo):
    few = demo.orders.filter(demo.orders.source_id.notnull()).limit(5)
    table = sensitivity(demo.resolution, demo.records, few, as_of=demo.as_of, thresholds=())
    assert len(table) == 1 and table[["active_customers", "revenue_per_head"]].isna().all(axis=None)


def test_examples_lie_around_the_threshold_and_show_nobody(demo):
    table = examples(demo.resolution.edges, demo.identities, accepted=15, rejected=10)
    counts = table["example"].value_counts()
    assert counts["accepted"] == 15 and counts["rejected"] == 10
    accepted, rejected = (table[table["example"] == name]["weight"] for name in ("accepted", "rejected"))
    assert accepted.min() >= 2 > rejected.max() and accepted.is_monotonic_increasing
    text = " ".join([*table["a"], *table["b"]]).lower()
    frame = demo.identities.execute()
    for column in (
        "first_name",
        "last_name",
        "email",
        "phone",
        "street",
        "postcode",
        "city",
        "source_id",
        "loyalty_id",
    ):
        values = {str(value).strip().lower() for value in frame[column].dropna()}
        words = set(re.split(r"[\s:,*@.+]+", text)) - {"guest", "card", "news", "panel", "web", "app", "ereceipt"}
        assert not {word for word in words & values if len(word) > 2}, column
    assert not re.search(r"\d{3}", text)
    pd.testing.assert_frame_equal(table, examples(demo.resolution.edges, demo.identities, 15, 10))


def test_examples_of_nothing_are_none(demo):
    nothing = examples(edges(("linked", None, 1.0)), demo.identities)
    assert nothing.empty and "agreed" in nothing


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        ("Müller", "last_name", "M***r"),
        ("Max", "first_name", "***"),
        ("moritz@web.de", "email", "m***@w***"),
        ("m@web.de", "email", "***"),
        ("+49 151 23 45 12", "phone", "+49***12"),
        ("0151/234512", "phone", "***12"),
        ("+43 664 1234567", "phone", "***67"),
        ("110", "phone", "***"),
        ("Hauptstr. 5", "street", "H***."),
        ("20555", "postcode", "2***5"),
        (pd.Timestamp("1980-02-03"), "birth_date", "19**"),
        (date(2001, 2, 3), "birth_date", "20**"),
        ("3.2.1980", "birth_date", "***"),
        ("Leer", "city", "L***"),
        ("0099801397", "loyalty_id", "***"),
        (None, "city", ""),
        (pd.NaT, "birth_date", ""),
        (pd.NA, "email", ""),
        ("  ", "email", ""),
    ],
)
def test_values_are_masked(value, kind, shown):
    assert mask(value, kind) == shown


KINDS = ["first_name", "last_name", "birth_date", "email", "phone", "street", "postcode", "city", "other"]
VALUES = st.one_of(
    st.text(min_size=4, max_size=30),
    st.emails(),
    st.from_regex(r"\+?[0-9 /()-]{4,20}", fullmatch=True),
    st.dates().map(str),
)


@given(VALUES, st.sampled_from(KINDS))
def test_a_mask_keeps_at_most_two_characters(value, kind):
    shown = mask(value, kind)
    form = {"email": "@", "street": "."}.get(kind, "")
    kept = re.sub(rf"[*{form}]", "", shown.removeprefix("+49") if kind == "phone" else shown)
    assert len(kept) <= 2
    assert shown == "" or "**" in shown
    assert len(shown) <= 9, "the number of stars does not tell the length"


@given(st.text(max_size=3), st.sampled_from([kind for kind in KINDS if kind != "birth_date"]))
def test_short_values_keep_nothing(value, kind):
    assert mask(value, kind) in ("", "***")


@pytest.mark.parametrize("language", ["en", "de"])
def test_plots_draw_their_tables(demo, language):
    bins = weight_histogram(demo.resolution.edges)
    ax = plot_weights(bins, language=language)
    heights = {bar.get_label(): sum(patch.get_height() for patch in bar) for bar in ax.containers}
    assert sum(heights.values()) == bins["pairs"].sum()
    assert len(ax.lines) == 2 and ax.get_title() == ""
    assert plot_weights(weight_histogram(edges()), language=language).containers == []

    rules = demo.resolution.rules
    ax = plot_rules(rules, language=language)
    assert ax.get_yticklabels()[0].get_text() == {"en": "loyalty card", "de": "Kundenkarte"}[language]
    assert sum(patch.get_width() for patch in ax.patches) == rules["pairs"].sum()
    assert plot_rules(rules.iloc[:0], language=language)

    table = pd.DataFrame({"threshold": [0.5, 0.8], "persons_change": [-0.05, 0.0]})
    table = table.assign(active_customers_change=[-0.01, 0.0], revenue_per_head_change=np.nan)
    ax = plot_sensitivity(table, language=language)
    assert len(ax.texts) == 2 and ax.get_xticklabels()[0].get_text() == {"en": "0.50", "de": "0,50"}[language]
    plt.close("all")


def test_the_resolution_is_what_the_functions_expect(demo):
    assert isinstance(demo.resolution, Resolution)
    found = link_error(demo.resolution.edges)
    assert found.links > 1000 and found.one_in > 20
    assert largest(demo.resolution.identity_map)[0] == demo.map["person_id"].value_counts().max()
    table = contradictions(demo.resolution.identity_map, demo.records, demo.resolution.blocked)
    vetoed = table[table["field"].isin(demo.resolution.state.vetoes)]
    assert (vetoed["contradicting"] == 0).all() and (vetoed["persons"] > 50).all()
