"""Ids that stay: a cluster keeps the id most of its records had, and what changed is written down."""

import hashlib
import hmac
import itertools
from datetime import date

import numpy as np
import pandas as pd

CHANGES = ("change_no", "as_of", "change", "person_id", "other_id", "records")


def stable_ids(current: pd.DataFrame, previous: pd.DataFrame | None = None, key: str = "") -> pd.DataFrame:
    """Give each cluster a person_id, inherited by the largest overlap of records.

    Parameters
    ----------
    current : DataFrame
        source, source_id, cluster; one row an id.
    previous : DataFrame, optional
        source, source_id, person_id of the last run.
    key : str
        A secret for new ids. Without one, who knows an id of a source (it may be an e-mail address) can compute the
        person's id: a pseudonym, not a secret.

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
    heads = (table.loc[first, column].tolist() for column in ("source", "source_id"))
    for cluster, (source, source_id) in enumerate(zip(*heads, strict=True)):
        if cluster not in heirs:
            heirs[cluster] = _fresh(f"{source}\x1f{source_id}", taken, key)
            taken.add(heirs[cluster])
    names = pd.Series([heirs[cluster] for cluster in range(len(heirs))], dtype="str")
    table["person_id"] = names.take(place).array
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
    before = set() if previous is None else set(previous["person_id"])
    person, persons = pd.factorize(ids["person_id"])
    old, olds = pd.factorize(ids["old_id"])  # -1 where there is none
    pair, records = np.unique(person * (len(olds) + 1) + old + 1, return_counts=True)
    person, old = pair // (len(olds) + 1), pair % (len(olds) + 1)
    # Numbers are compared, not texts: old 0 is none, and person -1 of an old id is one that no longer lives.
    persons = pd.Index(persons, dtype=object)
    lives = np.r_[-1, persons.get_indexer(pd.Index(olds, dtype=object))]
    changed = person != lives[old]
    person, old, records = person[changed], old[changed], records[changed]
    fresh, nameless, alive = ~persons.isin(before)[person], old == 0, lives[old] >= 0
    made_of_old = np.zeros(len(persons), dtype=bool)
    made_of_old[person[fresh & ~nameless]] = True
    kind = np.select(
        [nameless & fresh & ~made_of_old[person], nameless, fresh & alive, alive],
        ["new", "gained", "split", "moved"],
        default="merged",
    )
    flow = pd.DataFrame(
        {
            "person_id": persons.to_numpy()[person],
            "old_id": np.array(["", *olds], dtype=object)[old],
            "records": records,
        }
    )
    rows = flow.assign(change=kind, other_id=flow["old_id"].where(~nameless, None))
    gone = sorted(before - set(persons) - set(ids["old_id"].dropna()))
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


def _fresh(record: str, taken: set[str], key: str) -> str:
    for turn in itertools.count():
        text = (record + (f"\x1f{turn}" if turn else "")).encode()
        digest = hmac.digest(key.encode(), text, "sha256").hex() if key else hashlib.sha256(text).hexdigest()
        if digest[:16] not in taken:
            return digest[:16]
