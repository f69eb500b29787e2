"""Ids that stay: a cluster keeps the id most of its records had, and what changed is written down."""

import hashlib
from datetime import date

import numpy as np
import pandas as pd

CHANGES = ("change_no", "as_of", "change", "person_id", "other_id", "records")


def stable_ids(current: pd.DataFrame, previous: pd.DataFrame | None = None) -> pd.DataFrame:
    """Give each cluster a person_id, inherited by the largest overlap of records.

    Parameters
    ----------
    current : DataFrame
        source, source_id, cluster; one row an id.
    previous : DataFrame, optional
        source, source_id, person_id of the last run.

    Returns
    -------
    DataFrame
        source, source_id, cluster, person_id, old_id (None: the id is new), in the order of source and source_id.
        An id goes to the cluster that holds most of its records, a cluster takes the id most of its records had;
        ties go to the id, then the cluster, that sorts first. A new id is a digest of the cluster's first record.
    """
    table = current.sort_values(["source", "source_id"], ignore_index=True)
    if previous is None or not len(previous):
        table["old_id"] = None
    else:
        old = previous[["source", "source_id", "person_id"]].rename(columns={"person_id": "old_id"})
        table = table.merge(old, on=["source", "source_id"], how="left")
        table["old_id"] = table["old_id"].astype(object).where(table["old_id"].notna(), None)
    # Clusters are named by their first record, so that the order of rows does not matter.
    first = ~table["cluster"].duplicated()
    rank = pd.Series(np.arange(first.sum()), index=table.loc[first, "cluster"].to_numpy())
    place = table["cluster"].map(rank)
    shared = pd.DataFrame({"place": place, "old_id": table["old_id"]}).dropna()
    shared = shared.value_counts().rename("n").reset_index()
    shared = shared.sort_values(["n", "old_id", "place"], ascending=[False, True, True])
    heirs: dict[int, str] = {}
    used: set[str] = set()
    for cluster, old_id in zip(shared["place"].tolist(), shared["old_id"].tolist(), strict=True):
        if cluster not in heirs and old_id not in used:
            heirs[cluster] = old_id
            used.add(old_id)
    taken = set() if previous is None else set(previous["person_id"])
    heads = table.loc[first, ["source", "source_id"]]
    for cluster, (source, source_id) in enumerate(heads.itertuples(index=False)):
        if cluster not in heirs:
            heirs[cluster] = _fresh(source, source_id, taken)
            taken.add(heirs[cluster])
    table["person_id"] = place.map(heirs)
    return table


def changes(
    ids: pd.DataFrame, history: pd.DataFrame | None, previous: pd.DataFrame | None, as_of: date
) -> pd.DataFrame:
    """Return the history of ids, longer by what changed.

    Parameters
    ----------
    ids : DataFrame
        As `stable_ids` returns it.
    history, previous : DataFrame, optional
        This table and the map of ids of the last run.
    as_of : date
        Day of the extract.

    Returns
    -------
    DataFrame
        change_no (of the run that changed something: 1, 2, ...), as_of, change, person_id, other_id, records.
        change: *new* (a person of new records only), *merged* (other_id lives on as person_id), *split* (person_id
        was made of records of other_id), *moved* (records went from other_id, which lives on, to person_id), *gained*
        (new records of a person known before), *gone* (no record is left).
    """
    living = set(ids["person_id"])
    before = set() if previous is None else set(previous["person_id"])
    person, persons = pd.factorize(ids["person_id"])
    old, olds = pd.factorize(ids["old_id"])  # -1 where there is none
    pair, records = np.unique(person * (len(olds) + 1) + old + 1, return_counts=True)
    person, old = pair // (len(olds) + 1), pair % (len(olds) + 1)
    flow = pd.DataFrame(
        {
            "person_id": np.asarray(persons, dtype=object)[person],
            "old_id": np.array(["", *olds], dtype=object)[old],
            "records": records,
        }
    )
    flow = flow[flow["person_id"] != flow["old_id"]]
    fresh, nameless = ~flow["person_id"].isin(before), flow["old_id"] == ""
    made_of_old = set(flow.loc[fresh & ~nameless, "person_id"])
    kind = np.select(
        [
            nameless & fresh & ~flow["person_id"].isin(made_of_old),
            nameless,
            fresh & flow["old_id"].isin(living),
            flow["old_id"].isin(living),
        ],
        ["new", "gained", "split", "moved"],
        default="merged",
    )
    rows = flow.assign(change=kind, other_id=flow["old_id"].where(~nameless, None))
    gone = sorted(before - living - set(ids["old_id"].dropna()))
    rows = pd.concat([rows, pd.DataFrame({"person_id": gone, "change": "gone", "other_id": None, "records": 0})])
    number = 1 if history is None or not len(history) else int(history["change_no"].max()) + 1
    rows = rows.assign(change_no=number, as_of=pd.Timestamp(as_of))[list(CHANGES)]
    rows = rows.sort_values(["change", "person_id", "other_id"], ignore_index=True)
    kept = [part for part in (history, rows) if part is not None and len(part)]
    table = pd.concat(kept, ignore_index=True) if kept else rows
    table = table.astype({"change_no": "int64", "records": "int64", "other_id": object})
    return table.assign(other_id=table["other_id"].where(table["other_id"].notna(), None))


def aliases(history: pd.DataFrame) -> pd.DataFrame:
    """Return where merged ids live on (alias, person_id), following chains of mergers to their end."""
    heir: dict[str, str] = {}
    for _, run in history.groupby("change_no"):
        # A person whose first record is back alone has the old id again.
        for person in run.loc[run["change"].isin(["new", "split"]), "person_id"]:
            heir.pop(person, None)
        merged = run[run["change"] == "merged"]
        heir.update(zip(merged["other_id"], merged["person_id"], strict=True))

    def last(person: str) -> str:
        seen = {person}
        while person in heir and heir[person] not in seen:
            person = heir[person]
            seen.add(person)
        return person

    return pd.DataFrame({"alias": list(heir), "person_id": [last(person) for person in heir]}, dtype=object)


def _fresh(source: str, source_id: str, taken: set[str]) -> str:
    for turn in range(1_000_000):
        text = f"{source}\x1f{source_id}" + (f"\x1f{turn}" if turn else "")
        found = hashlib.sha256(text.encode()).hexdigest()[:16]
        if found not in taken:
            return found
    raise AssertionError("a million digests of one record are taken")
