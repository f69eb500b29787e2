from datetime import date

import pandas as pd
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from waage.unify.ids import CHANGES, aliases, changes, stable_ids

DAY = date(2025, 6, 29)


def table(clusters: dict[str, object]) -> pd.DataFrame:
    rows = [("s", record, cluster) for record, cluster in clusters.items()]
    return pd.DataFrame(rows, columns=["source", "source_id", "cluster"])


class History:
    """Run after run: what each hands to the next."""

    def __init__(self):
        self.map, self.changes = None, None

    def run(self, clusters: dict[str, object] | str) -> dict[str, str]:
        """Take {record: cluster}, or "ab c" for the clusters ab and c; return {record: person_id}."""
        if isinstance(clusters, str):
            clusters = {record: group for group in clusters.split() for record in group}
        named = stable_ids(table(clusters), self.map)
        self.changes = changes(named, self.changes, self.map, DAY)
        self.map = named[["source", "source_id", "person_id"]]
        return dict(zip(named["source_id"], named["person_id"], strict=True))

    def last(self) -> list[tuple]:
        """Return change, person_id, other_id and records of the last run that changed something."""
        rows = self.changes[self.changes["change_no"] == self.changes["change_no"].max()]
        return list(rows[["change", "person_id", "other_id", "records"]].itertuples(index=False, name=None))


clusterings = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(0, 4), max_size=10)


def groups(clusters: dict[str, object]) -> set[frozenset]:
    return {frozenset(r for r, c in clusters.items() if c == cluster) for cluster in set(clusters.values())}


# Explaining a failure traces every line of pandas, which takes minutes.
@settings(max_examples=25, deadline=None, derandomize=True, phases=set(Phase) - {Phase.explain})
@given(st.lists(clusterings, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_ids_and_changes_over_many_runs(runs, random):
    history, before = History(), {}
    for clusters in runs:
        rows_before = 0 if history.changes is None else len(history.changes)
        previous_map, previous_changes = history.map, history.changes
        got = history.run(clusters)
        # Every cluster has one id, no id serves two.
        assert got.keys() == clusters.keys()
        assert groups(got) == groups(clusters)

        # The order of rows and the names of clusters say nothing.
        mixed = list(clusters.items())
        random.shuffle(mixed)
        again = stable_ids(table({record: f"c{-cluster}" for record, cluster in mixed}), previous_map)
        assert dict(zip(again["source_id"], again["person_id"], strict=True)) == got
        pd.testing.assert_frame_equal(changes(again, previous_changes, previous_map, DAY), history.changes)

        # The overlap rule: no cluster and no id could both have done better with each other.
        overlap = pd.Series({(got[r], before[r]): 0 for r in got if r in before}, dtype=int)
        for record in got:
            if record in before:
                overlap[got[record], before[record]] += 1
        kept = {(p, q): n for (p, q), n in overlap.items() if p == q}
        for (person, old), n in overlap.items():
            mine, theirs = kept.get((person, person), 0), kept.get((old, old), 0)
            assert n <= max(mine, theirs) or person == old

        # Every id that appears, disappears or takes in records is written down, and nothing else.
        rows = history.changes.iloc[rows_before:]
        flows = {(got[r], before.get(r)) for r in got if got[r] != before.get(r)}
        written = {(p, None if pd.isna(o) else o) for p, o in zip(rows["person_id"], rows["other_id"], strict=True)}
        left = set(before.values()) - set(got.values())
        gone = {(p, None) for p in left if not any(r in got for r in before if before[r] == p)}
        assert written == flows | gone
        for _, row in rows.iterrows():
            person, other = row["person_id"], row["other_id"]
            assert {
                "new": person not in before.values() and person in got.values(),
                "gained": person in got.values(),
                "gone": person in before.values() and person not in got.values(),
                "merged": other in before.values() and other not in got.values(),
                "split": person not in before.values() and other in got.values(),
                "moved": person in before.values() and other in got.values(),
            }[row["change"]]
        assert rows["change_no"].nunique() <= 1

        # Nothing new, nothing changed.
        number = len(history.changes)
        assert history.run(clusters) == got and len(history.changes) == number
        before = got

        # A merged id leads to one that lives, unless that one has gone since.
        lead = aliases(history.changes)
        assert lead["alias"].is_unique and not set(lead["alias"]) & set(got.values())
        ever_gone = set(history.changes.loc[history.changes["change"] == "gone", "person_id"])
        assert set(lead["person_id"]) <= set(got.values()) | ever_gone


def test_the_first_run_names_everybody():
    history = History()
    got = history.run("ab c")
    assert history.last() == [("new", person, None, n) for person, n in sorted([(got["a"], 2), (got["c"], 1)])]
    assert list(history.changes) == list(CHANGES)
    assert history.changes["change_no"].eq(1).all() and history.changes["as_of"].eq(pd.Timestamp(DAY)).all()
    assert all(len(person) == 16 and set(person) <= set("0123456789abcdef") for person in got.values())
    assert History().run("ba c") == got


def test_a_merger_keeps_the_id_of_the_larger_part():
    history = History()
    old = history.run("ab cde f")
    got = history.run("abcde f")
    assert got["a"] == old["c"] and got["f"] == old["f"]
    assert history.last() == [("merged", old["c"], old["a"], 2)]
    assert aliases(history.changes).to_dict("records") == [{"alias": old["a"], "person_id": old["c"]}]


def test_a_split_leaves_the_id_with_the_larger_part():
    history = History()
    old = history.run("abcde")
    got = history.run("ab cde")
    assert got["c"] == old["a"] != got["a"]
    assert history.last() == [("split", got["a"], old["a"], 2)]


def test_ties_go_to_the_id_that_sorts_first_then_to_the_first_record():
    history = History()
    old = history.run("ab cd")
    assert history.run("abcd")["a"] == min(old.values())
    history = History()
    old = history.run("abcd")
    got = history.run("ad bc")
    assert got["a"] == old["a"] != got["b"]


def test_moved_gained_gone_and_new():
    history = History()
    old = history.run("abc def x")
    got = history.run("ab cdefg yz")
    assert got["a"] == old["a"] and got["c"] == old["d"]
    assert history.last() == [
        ("gained", old["d"], None, 1),
        ("gone", old["x"], None, 0),
        ("moved", old["d"], old["a"], 1),
        ("new", got["y"], None, 2),
    ]


def test_a_split_off_that_also_gained_is_no_new_person():
    history = History()
    old = history.run("abc")
    got = history.run("ab cd")
    assert history.last() == [("gained", got["c"], None, 1), ("split", got["c"], old["a"], 1)]


def test_aliases_follow_chains_and_forget_who_lives_again():
    history = History()
    old = history.run("a bb ccc".replace("bb", "bB").replace("ccc", "cCd"))
    history.run("abB cCd")
    history.run("abBcCd")
    lead = dict(aliases(history.changes).itertuples(index=False, name=None))
    assert lead == {old["a"]: old["c"], old["b"]: old["c"]}
    # The first id comes back with its first record: it is nobody's alias now.
    assert history.run("a bBcCd")["a"] == old["a"]
    lead = dict(aliases(history.changes).itertuples(index=False, name=None))
    assert lead == {old["b"]: old["c"]}


def test_a_fresh_id_is_never_one_that_is_taken():
    history = History()
    old = history.run("abc")
    got = history.run("a bc")
    assert got["b"] == old["a"] and got["a"] not in old.values()


def test_ids_do_not_run_into_each_other():
    rows = pd.DataFrame([("a", "bc", 0), ("ab", "c", 1), ("a", "BC", 2), ("a", "0bc", 3)])
    rows.columns = ["source", "source_id", "cluster"]
    assert stable_ids(rows)["person_id"].is_unique


def test_nobody_at_all():
    history = History()
    assert history.run({}) == {} and len(history.changes) == 0 and list(history.changes) == list(CHANGES)
    old = history.run("ab")
    assert history.run({}) == {} and history.last() == [("gone", old["a"], None, 0)]
    # No run saw the id between: it is found again by its first record.
    assert history.run("ab") == old
    assert len(aliases(history.changes)) == 0


def test_a_map_read_back_from_a_file_is_as_good(tmp_path):
    history = History()
    old = history.run("ab c")
    history.run("ab c d")
    for name in ("map", "changes"):
        getattr(history, name).to_parquet(tmp_path / name)
        setattr(history, name, pd.read_parquet(tmp_path / name))
    rows = len(history.changes)
    got = history.run("ab c d")
    assert got["a"] == old["a"] and len(history.changes) == rows
    history.run("abc d")
    assert history.last() == [("merged", old["a"], old["c"], 1)]
