"""Against the known truth: how good the persons are, and what the errors look like. For simulated data only."""

from typing import NamedTuple

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.privacy import mask_small
from waage.unify.guards import IDENTIFIERS
from waage.unify.quality import unblocked, with_share

KEY = ["source", "source_id"]


class PairScores(NamedTuple):
    """Scores of a clustering: of pairs of ids, and B-cubed, which weighs ids instead."""

    precision: float
    recall: float
    f1: float
    bcubed_precision: float
    bcubed_recall: float
    bcubed_f1: float
    pairs_found: int
    pairs_true: int
    pairs_right: int


def pair_scores(labels, truth) -> PairScores:
    """Score persons against the truth, exactly.

    Of pairs of ids: precision is right / found, recall right / true. B-cubed (Bagga and Baldwin 1998, Algorithms for
    scoring coreference chains): for each id the share of its person that is its true person, and of its true person
    that is its person, averaged over ids. Without pairs a score is 1.

    Parameters
    ----------
    labels, truth : sequences
        Person and true person of each id, in one order.
    """
    frame = pd.DataFrame({"label": pd.factorize(np.asarray(labels))[0], "truth": pd.factorize(np.asarray(truth))[0]})
    cells = frame.value_counts().rename("n").reset_index()
    mine, true = (cells.groupby(name)["n"].transform("sum") for name in ("label", "truth"))

    def pairs(sizes: pd.Series) -> int:
        return int((sizes * (sizes - 1) // 2).sum())

    found, there = (pairs(cells.groupby(name)["n"].sum()) for name in ("label", "truth"))
    right = pairs(cells["n"])
    ids = max(len(frame), 1)
    bcubed = [float((cells["n"] ** 2 / size).sum() / ids) if len(frame) else 1.0 for size in (mine, true)]
    paired = [right / found if found else 1.0, right / there if there else 1.0]
    f1, bcubed_f1 = (2 * p * r / (p + r) if p + r else 0.0 for p, r in (paired, bcubed))
    return PairScores(*paired, f1, *bcubed, bcubed_f1, found, there, right)


def by_rule(edges: ir.Table, truth: ir.Table, min_cell: int = 10) -> pd.DataFrame:
    """Say how often the pairs of each rule are one person, by what became of them.

    Parameters
    ----------
    edges : ibis table
        As in `waage.unify.resolve.Resolution`.
    truth : ibis table
        source, source_id, person_id, on the same connection. Pairs with an id that is not in it are left out.
    min_cell : int

    Returns
    -------
    DataFrame
        rule, status, pairs, expected (mean probability, before vetoes and decisions), share_true, low, high (Wilson,
        95%). A person of many ids has many pairs: the interval takes them for independent and is rather too narrow.
        Fewer than `min_cell` pairs are hidden.
    """
    pairs = _judged(edges, truth)
    groups = pairs.group_by("rule", "status")
    table = groups.agg(pairs=pairs.count(), expected=pairs.probability.mean(), right=pairs.right.sum())
    table = with_share(table.order_by("rule", "status").execute(), "right", "pairs", "share_true").drop(columns="right")
    return mask_small(table, "pairs", "expected", "share_true", "low", "high", min_cell=min_cell)


def by_source_pair(identity_map: ir.Table, truth: ir.Table, min_cell: int = 10) -> pd.DataFrame:
    """Score pairs of ids by the two sources they come from.

    Parameters
    ----------
    identity_map, truth : ibis tables
        source, source_id, person_id. Ids that are in only one of them are left out.
    min_cell : int

    Returns
    -------
    DataFrame
        source_a, source_b (may be equal), pairs_true, pairs_found, pairs_right, recall, precision. Pairs
        fewer than `min_cell`, true or found, are hidden.
    """
    ids = identity_map.select(*KEY, "person_id").inner_join(truth.select(*KEY, true_id="person_id"), KEY)
    parts = [
        _pairs_by_source(ids, person).rename(columns={"pairs": name})
        for name, person in (("true", ["true_id"]), ("found", ["person_id"]), ("right", ["true_id", "person_id"]))
    ]
    table = parts[0]
    for part in parts[1:]:
        table = table.merge(part, "outer", on=["source_a", "source_b"])
    table = table.fillna(0).set_axis(["source_a", "source_b", "pairs_true", "pairs_found", "pairs_right"], axis=1)
    right = table["pairs_right"]
    table["recall"] = right / table["pairs_true"].where(table["pairs_true"] > 0)
    table["precision"] = right / table["pairs_found"].where(table["pairs_found"] > 0)
    table = table.sort_values(["source_a", "source_b"], ignore_index=True)
    table["_size"] = table[["pairs_true", "pairs_found"]].max(axis=1)
    return mask_small(table, "_size", *table.columns[2:-1], min_cell=min_cell).drop(columns="_size")


def _pairs_by_source(ids: ir.Table, person: list[str]) -> pd.DataFrame:
    cells = ids.group_by(*person, "source").agg(n=ids.count())
    other = cells.rename(**{f"{name}_b": name for name in cells.columns})
    both = cells.inner_join(other, [cells[name] == other[f"{name}_b"] for name in person])
    both = both.filter(both.source <= both.source_b)
    pairs = ibis.ifelse(both.source == both.source_b, both.n * (both.n - 1) / 2, both.n * both.n_b)
    table = both.group_by(source_a="source", source_b="source_b").agg(pairs=pairs.sum()).execute()
    return table[table["pairs"] > 0]


def errors(edges: ir.Table, truth: ir.Table, records: ir.Table, min_cell: int = 10) -> pd.DataFrame:
    """Count the wrong links by what misled them; no values, only counts.

    Parameters
    ----------
    edges : ibis table
    truth : ibis table
        source, source_id, person_id and, where known, household_id.
    records : ibis table
        As `waage.unify.normalise` returns it.
    min_cell : int

    Returns
    -------
    DataFrame
        reason, by (rules, model), pairs, share (of all wrong links), nameless (of these, pairs of which one side has
        no first name, so that no veto could part them). Reasons, the first that holds: *same household*; *shared
        identifier* (an e-mail, number, card or device of two households: recycled, junk that is not known as such);
        *namesakes* (same first name and surname); *similar* (what is left). Fewer than `min_cell` pairs are hidden.
    """
    wrong = _judged(edges.filter(edges.status == "linked"), truth).filter(~ibis._["right"])
    what = _evidence(wrong, records)
    home = what.household_a == what.household_b if "household_a" in what.columns else ibis.literal(False)
    reason = ibis.cases(
        (home.fill_null(False), "same household"),
        (what.identifier, "shared identifier"),
        (what.first_name & what.last_name, "namesakes"),
        else_="similar",
    )
    by = ibis.ifelse(what.rule == "model", "model", "rules")
    groups = what.mutate(reason=reason, by=by).group_by("reason", "by")
    table = groups.agg(pairs=ibis._.count(), nameless=ibis._.nameless.sum()).execute()
    table = table.sort_values(["pairs", "reason", "by"], ascending=[False, True, True], ignore_index=True)
    table.insert(3, "share", table["pairs"] / max(table["pairs"].sum(), 1))
    return mask_small(table, "pairs", "share", "nameless", min_cell=min_cell)


def recall_by_evidence(
    identity_map: ir.Table, truth: ir.Table, records: ir.Table, blocked: pd.DataFrame | None = None, min_cell: int = 10
) -> pd.DataFrame:
    """Say which true pairs are found, by the strongest thing their two ids share; nothing shared cannot be found.

    Parameters
    ----------
    identity_map, truth : ibis tables
        source, source_id, person_id.
    records : ibis table
        As `waage.unify.normalise` returns it.
    blocked : DataFrame, optional
        Of the resolution: values that are no evidence.
    min_cell : int

    Returns
    -------
    DataFrame
        shared (identifier; name and birth date; name and address; name and place (postcode or town); name only;
        part of these; nothing), pairs, pairs_share, found, recall, low, high (Wilson, 95%: as in `by_rule`). Equal
        after normalisation: two spellings are not shared. Fewer than `min_cell` pairs are hidden.
    """
    ids = identity_map.select(*KEY, "person_id").inner_join(truth.select(*KEY, true_id="person_id"), KEY)
    a, b = (ids.rename(**{f"{name}_{end}": name for name in ids.columns}) for end in "ab")
    pairs = a.inner_join(b, [a.true_id_a == b.true_id_b])
    later = (pairs.source_a < pairs.source_b) | (
        (pairs.source_a == pairs.source_b) & (pairs.source_id_a < pairs.source_id_b)
    )
    what = _evidence(pairs.filter(later), records, blocked)
    named = what.first_name & what.last_name
    each = {
        "identifier": what.identifier,
        "name and birth date": named & what.birth_date,
        "name and address": named & what.address,
        "name and place": named & what.place,
        "name only": named,
        "part of these": what.first_name | what.last_name | what.birth_date | what.address | what.place,
    }
    shared = ibis.cases(*((holds, name) for name, holds in each.items()), else_="nothing")
    groups = what.mutate(shared=shared, found=what.person_id_a == what.person_id_b).group_by("shared")
    table = groups.agg(pairs=ibis._.count(), found=ibis._.found.sum()).execute().set_index("shared")
    table = table.reindex([name for name in (*each, "nothing") if name in table.index]).reset_index()
    table = with_share(table, "found", "pairs", "recall")
    table.insert(2, "pairs_share", table["pairs"] / max(table["pairs"].sum(), 1))
    return mask_small(table, "pairs", *table.columns[2:], min_cell=min_cell)


def _judged(edges: ir.Table, truth: ir.Table) -> ir.Table:
    """Add whether a pair is one person (right), and both households where the truth knows them."""
    for end in "ab":
        names = {f"{name}_{end}": name for name in KEY} | {f"true_{end}": "person_id"}
        if "household_id" in truth.columns:
            names[f"household_{end}"] = "household_id"
        edges = edges.inner_join(truth.select(**names), [f"{name}_{end}" for name in KEY])
    return edges.mutate(right=edges.true_a == edges.true_b)


_SAID = ("first_name", "last_name", "birth_date", "address", "postcode", "city")


def _evidence(pairs: ir.Table, records: ir.Table, blocked: pd.DataFrame | None = None) -> ir.Table:
    """Add what both ids of a pair have said at any time: identifier, names, birth_date, address, place; nameless."""
    records = unblocked(records, blocked)
    records = records.mutate(
        first_name=ibis.ifelse(records.first_name.length() > 1, records.first_name, None),
        address=records.street + " " + records.house_no.fill_null("") + "|" + records.postcode,
    )
    said = records.group_by(KEY).agg(
        **{name: records[name].collect(where=records[name].notnull(), distinct=True) for name in (*_SAID, *IDENTIFIERS)}
    )
    said = said.cache()  # both sides of each pair look at it
    for end in "ab":
        renamed = said.rename(**{f"{name}_{end}": name for name in said.columns})
        keys = [f"{name}_{end}" for name in KEY]
        pairs = pairs.left_join(renamed, keys).drop(*(f"{key}_right" for key in keys))
    both = {
        name: (pairs[f"{name}_a"].intersect(pairs[f"{name}_b"]).length() > 0).fill_null(False)
        for name in (*_SAID, *IDENTIFIERS)
    }
    known = [pairs[f"first_name_{end}"].length().fill_null(0) > 0 for end in "ab"]
    return pairs.mutate(
        **{name: both[name] for name in _SAID[:4]},
        place=both["postcode"] | both["city"],
        identifier=ibis.or_(*(both[name] for name in IDENTIFIERS)),
        nameless=~(known[0] & known[1]),
    )
