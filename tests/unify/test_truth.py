"""Scores against the known truth, and what errors look like."""

from itertools import combinations

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waage.stats import wilson
from waage.unify.normalise import normalise
from waage.unify.truth import by_rule, by_source_pair, errors, pair_scores, recall_by_evidence

KEY = ["source", "source_id"]


def counted(labels, truth) -> tuple[float, float]:
    """Precision and recall, pair by pair."""
    pairs = [(labels[i] == labels[j], truth[i] == truth[j]) for i, j in combinations(range(len(labels)), 2)]
    right = sum(mine and true for mine, true in pairs)
    found, there = sum(mine for mine, _ in pairs), sum(true for _, true in pairs)
    return right / found if found else 1.0, right / there if there else 1.0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=25))
def test_scores_are_those_of_counting(rows):
    labels, truth = [f"p{a}" for a, _ in rows], [b for _, b in rows]
    found = pair_scores(labels, truth)
    assert (found.precision, found.recall) == pytest.approx(counted(labels, truth))
    if rows:
        ids = range(len(rows))
        mine = [{j for j in ids if labels[j] == labels[i]} for i in ids]
        true = [{j for j in ids if truth[j] == truth[i]} for i in ids]
        assert found.bcubed_precision == pytest.approx(
            np.mean([len(m & t) / len(m) for m, t in zip(mine, true, strict=True)])
        )
        assert found.bcubed_recall == pytest.approx(
            np.mean([len(m & t) / len(t) for m, t in zip(mine, true, strict=True)])
        )


def test_the_extremes_of_clustering():
    truth = ["a", "a", "b", "b"]
    assert pair_scores(truth, truth)[:6] == (1, 1, 1, 1, 1, 1)
    assert pair_scores(list("wxyz"), truth)[:3] == (1, 0, 0), "nothing linked is nothing wrong"
    one = pair_scores(list("wwww"), truth)
    assert one[:2] == pytest.approx((1 / 3, 1)) and one.bcubed_f1 == pytest.approx(2 / 3)
    assert (one.pairs_found, one.pairs_true, one.pairs_right) == (6, 2, 2)


def table(rows, columns):
    """A table of texts; weights and probabilities are numbers."""
    frame = pd.DataFrame(rows, columns=columns, dtype=object)
    kinds = {name: "float64" if name in ("weight", "probability") else "string" for name in columns}
    return ibis.memtable(frame.astype({name: float for name, kind in kinds.items() if kind == "float64"}),
                         schema=ibis.schema(kinds))  # fmt: skip


EDGE = ["source_a", "source_id_a", "source_b", "source_id_b", "rule", "status", "weight", "probability"]
TRUTH = table(
    [("web", "1", "A", "H1"), ("web", "2", "B", "H1"), ("card", "1", "A", "H1"), ("card", "2", "B", "H1"),
     ("news", "1", "C", "H2"), ("news", "2", "A", "H1"), ("web", "3", "D", "H3"), ("card", "3", "E", "H4")],
    [*KEY, "person_id", "household_id"],
)  # fmt: skip


def edge(a: str, b: str, rule="email", status="linked", weight=None, probability=0.9):
    return (*a.split(), *b.split(), rule, status, weight, probability)


def test_rules_are_judged_by_what_became_of_their_pairs():
    edges = table(
        [edge("web 1", "card 1"), edge("web 1", "web 2", probability=0.7), edge("web 1", "news 2", status="vetoed"),
         edge("web 2", "card 2", "model", weight=4.0), edge("web 2", "till 9", "model", weight=4.0)],
        EDGE,
    )  # fmt: skip
    found = by_rule(edges, TRUTH, min_cell=1).set_index(["rule", "status"])
    assert found.loc[("email", "linked"), ["pairs", "expected", "share_true"]].tolist() == pytest.approx([2, 0.8, 0.5])
    assert tuple(found.loc[("email", "linked"), ["low", "high"]]) == pytest.approx(wilson(1, 2))
    assert found.loc[("email", "vetoed"), "share_true"] == 1
    assert found.loc[("model", "linked"), "pairs"] == 1, "an id without truth is left out"
    assert by_rule(edges, TRUTH)["pairs"].isna().all()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from("xyz")), min_size=1, max_size=30))
def test_source_pairs_add_up_to_all_pairs(rows):
    names = [(source, str(i)) for i, (_, _, source) in enumerate(rows)]
    mapping = table([(*name, f"p{a}") for name, (a, _, _) in zip(names, rows, strict=True)], [*KEY, "person_id"])
    truth = table([(*name, f"t{b}") for name, (_, b, _) in zip(names, rows, strict=True)], [*KEY, "person_id"])
    found = by_source_pair(mapping, truth, min_cell=0)
    score = pair_scores([a for a, _, _ in rows], [b for _, b, _ in rows])
    sums = found[["pairs_true", "pairs_found", "pairs_right"]].sum().tolist() if len(found) else [0, 0, 0]
    assert sums == [score.pairs_true, score.pairs_found, score.pairs_right]
    assert not found.duplicated(["source_a", "source_b"]).any()


def test_source_pairs_are_scored_and_small_ones_hidden():
    mapping = TRUTH.mutate(person_id=ibis.ifelse(ibis._.source == "news", "n", ibis._.person_id))
    found = by_source_pair(mapping, TRUTH, min_cell=1).set_index(["source_a", "source_b"])
    assert found.loc[("card", "web")].tolist() == [2, 2, 2, 1, 1]
    assert found.loc[("news", "web"), ["pairs_true", "recall"]].tolist() == [1, 0]
    assert found.loc[("news", "news"), ["pairs_found", "precision"]].tolist() == [1, 0]
    assert by_source_pair(mapping, TRUTH, min_cell=3)["pairs_found"].isna().all()


SAID = ["source", "source_id", "first_name", "last_name", "birth_date", "email", "street", "postcode", "city"]
PEOPLE = [
    ("web", "1", "Anna", "Müller", "1980-01-02", "a@x.de", "Weg 1", "20555", "Hamburg"),
    ("web", "2", None, "Müller", None, "a@x.de", "Weg 1", "20555", "Hamburg"),
    ("card", "1", "Anna", "Mueller", "1980-01-02"),
    ("card", "2", "Otto", "Müller", None, None, "Weg 1", "20555"),
    ("news", "1", "Anna", "Müller"),
    ("news", "2", None, None, None, "b@x.de"),
    ("web", "3", "Ana", "Kuhn", None, "z@x.de"),
    ("card", "3", "Eva", "Kuhnert", None, "z@x.de"),
]


@pytest.fixture(scope="module")
def records():
    backend = ibis.duckdb.connect()
    rows = [dict(zip(SAID, row, strict=False)) for row in PEOPLE]
    return normalise(
        backend.create_table("identities", table([tuple(row.get(name) for name in SAID) for row in rows], SAID))
    )


def test_wrong_links_are_counted_by_what_misled_them(records):
    edges = table(
        [
            edge("web 1", "card 1"),  # right
            edge("web 1", "web 2"),  # Otto's account with Anna's mailbox
            edge("web 1", "news 1", "model", weight=3.0),  # another Anna Müller
            edge("web 3", "card 3"),  # an address that two households use
            edge("news 1", "web 3", "model", weight=3.0),
            edge("news 1", "card 3", "model", "review", weight=1.0),
        ],
        EDGE,
    )
    found = errors(edges, TRUTH, records, min_cell=1).set_index(["reason", "by"])
    assert found["pairs"].to_dict() == {
        ("same household", "rules"): 1, ("namesakes", "model"): 1, ("shared identifier", "rules"): 1,
        ("similar", "model"): 1,
    }  # fmt: skip
    assert (found["share"] == 0.25).all()
    assert found.loc[("same household", "rules"), "nameless"] == 1 and found["nameless"].sum() == 1
    without = errors(edges, TRUTH.drop("household_id"), records, min_cell=1)
    assert "same household" not in set(without["reason"]) and without["pairs"].sum() == 4
    assert errors(edges, TRUTH, records)["pairs"].isna().all()
    assert errors(edges.limit(1), TRUTH, records).empty


def test_recall_is_told_by_what_true_pairs_share(records):
    # web 1, card 1, news 2 are A; web 2, card 2 are B.
    mapping = TRUTH.mutate(person_id=ibis.ifelse(ibis._.source == "news", "n", ibis._.person_id)).drop("household_id")
    found = recall_by_evidence(mapping, TRUTH, records, min_cell=1).set_index("shared")
    assert found["pairs"].to_dict() == {"name and birth date": 1, "part of these": 1, "nothing": 2}
    assert found["found"].to_dict() == {"name and birth date": 1, "part of these": 1, "nothing": 0}
    assert found["pairs_share"].sum() == 1
    other = TRUTH.mutate(person_id=ibis.ifelse(ibis._.household_id == "H1", "X", ibis._.person_id))
    everyone = recall_by_evidence(mapping, other, records, min_cell=1).set_index("shared")["pairs"]
    assert everyone["identifier"] == 1
    blocked = pd.DataFrame({"identifier": ["email"], "value": ["a@x.de"]})
    assert "identifier" not in set(recall_by_evidence(mapping, other, records, blocked, min_cell=1)["shared"])
    assert recall_by_evidence(mapping, TRUTH, records)["recall"].isna().all()
