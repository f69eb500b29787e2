"""Clerical review: pairs drawn for a clerk to judge, and what the verdicts say about the links.

The sheet shows persons in clear; what `review_result` returns is numbers only.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.errors import WaageError
from waage.stats import wilson
from waage.tables import TABLES

VERDICTS = ("same", "different", "unsure")
BANDS = (5.0, 10.0, 15.0, 20.0)
"""Where bands of match weights (log2 odds) begin; 5 is a probability of 0.97. A judgement."""

PAIR = ["source_a", "source_id_a", "source_b", "source_id_b"]
DECISION = ["action", *PAIR, "who", "when", "why"]
_SHOWN = [c.name for c in TABLES["identities"].columns if c.name not in ("source", "source_id", "updated_at")]


def review_sample(edges: ir.Table, per_band: int = 50, seed: int = 7, bands: Sequence[float] = BANDS) -> ir.Table:
    """Draw pairs to be judged, stratum by stratum; equal seeds draw equal pairs, whatever the order of the rows.

    Parameters
    ----------
    edges : ibis table
        source_a, source_id_a, source_b, source_id_b, rule, weight (log2 odds; NULL for rules), status. A pair that
        several rows name counts once: as linked before review, by a rule before the model.
    per_band : int
        Pairs a stratum; all of those that are fewer.
    seed : int
    bands : sequence of float
        Ascending weights at which a new stratum of model edges begins.

    Returns
    -------
    ibis table
        pair_id, source_a, source_id_a, source_b, source_id_b, status (linked, review), stratum (each rule of linked
        pairs, each weight band of linked pairs, review), stratum_size (pairs in it); ordered by stratum.
    """
    pairs = edges.filter(edges.status.isin(["linked", "review"]))
    a, b = ((pairs[f"source_{side}"] + "\x1f" + pairs[f"source_id_{side}"]) for side in "ab")
    digest = (ibis.least(a, b) + "\x1e" + ibis.greatest(a, b)).hexdigest("sha256").substr(0, 16)
    # The letter in front keeps a spreadsheet from reading "12e45678" as a number.
    pairs = pairs.mutate(pair_id=ibis.literal("p") + digest)
    strongest = ["status", ibis.asc(pairs.weight.notnull()), ibis.desc("weight"), "rule", *PAIR]
    first = ibis.window(group_by="pair_id", order_by=strongest)
    pairs = pairs.mutate(_n=ibis.row_number().over(first)).filter(ibis._["_n"] == 0)
    begins = [pairs.weight >= begin for begin in bands]
    band = ibis.cases(*((begin, i + 1) for i, begin in reversed(list(enumerate(begins)))), else_=0)
    below = [(band == i + 1, f"weight from {begin:g}") for i, begin in enumerate(bands)]
    by_weight = ibis.cases(*below, else_=f"weight below {bands[0]:g}")
    by_rule = ibis.literal("rule ") + pairs.rule.fill_null("unnamed")
    linked = ibis.ifelse(pairs.weight.isnull(), by_rule, by_weight)
    in_review = pairs.status == "review"
    pairs = pairs.mutate(
        stratum=ibis.ifelse(in_review, "review", linked),
        _place=ibis.cases((in_review, len(bands) + 1), (pairs.weight.isnull(), -1), else_=band),
        _draw=(pairs.pair_id + f"/{seed}").hexdigest("sha256"),
    )
    pairs = pairs.mutate(
        stratum_size=pairs.count().over(ibis.window(group_by="stratum")),
        _n=ibis.row_number().over(ibis.window(group_by="stratum", order_by=["_draw", "pair_id"])),
    )
    drawn = pairs.filter(pairs["_n"] < per_band).order_by("_place", "stratum", "pair_id")
    return drawn.select("pair_id", *PAIR, "status", "stratum", "stratum_size")


def review_sheet(sample: pd.DataFrame, identities: ir.Table) -> pd.DataFrame:
    """Return the pairs with both records side by side, in clear, and an empty column `verdict`.

    Where a source knows several values of one id, all are shown, newest first. Pairs stand in the order of
    pair_id, so that neighbours do not tell the clerk what to expect.
    """
    key = ["source", "source_id"]
    ids = pd.concat([sample[PAIR[:2]].set_axis(key, axis=1), sample[PAIR[2:]].set_axis(key, axis=1)]).drop_duplicates()
    shown = [name for name in _SHOWN if name in identities.columns]
    known = identities.semi_join(ibis.memtable(ids), key)
    known = known.order_by([ibis.desc("updated_at", nulls_first=False), *shown])
    known = known.select(*key, **{name: known[name].cast("string") for name in shown}).execute()
    records = known.groupby(key).agg(lambda values: " | ".join(dict.fromkeys(values.dropna())))
    sheet = sample.sort_values("pair_id")
    for side in "ab":
        there = [f"{name}_{side}" for name in key]
        sheet = sheet.merge(records.add_suffix(f"_{side}"), "left", left_on=there, right_index=True)
    sides = [f"{name}_{side}" for name in (*key, *shown) for side in "ab"]
    return sheet.assign(verdict="")[["pair_id", "stratum", "verdict", *sides]].fillna("")


def review_result(sample: pd.DataFrame, verdicts: pd.Series, confidence: float = 0.95) -> dict:
    """Estimate from the verdicts which share of the pairs are one person: of linked pairs, the precision.

    Each verdict stands for stratum size / verdicts in its stratum pairs (Horvitz and Thompson 1952, JASA 47, 663-685;
    missing ones are taken to be missing at random). The interval is Wilson's on the effective sample size
    (Kish 1965, Survey Sampling, ch. 11): (sum of weights)^2 / sum of squared weights.

    Returns
    -------
    dict
        confidence; linked and review, each with pairs (all there are), judged_pairs (those in strata with verdicts),
        drawn, same, different, unsure, missing, share_same, low, high (unsure left out), effective_n,
        share_if_unsure_same, share_if_unsure_different; strata: the same of each, with status and stratum.
        Shares lie in [0, 1] and are None where nothing was judged. Numbers only, nothing about a person.

    Raises
    ------
    WaageError
        When there is no verdict at all.
    """
    if verdicts.empty:
        raise WaageError("no pair has a verdict yet: fill in the column verdict with same, different or unsure")
    judged = sample.assign(verdict=sample["pair_id"].map(verdicts).fillna("missing"))
    strata = judged.groupby(["status", "stratum"], sort=False).agg(
        pairs=("stratum_size", "first"),
        drawn=("pair_id", "size"),
        **{word: ("verdict", lambda given, word=word: int((given == word).sum())) for word in (*VERDICTS, "missing")},
    ).reset_index()  # fmt: skip
    groups = {status: _estimate(strata[strata["status"] == status], confidence) for status in ("linked", "review")}
    each = [
        {"status": row.status, "stratum": row.stratum} | _estimate(strata.loc[[row.Index]], confidence)
        for row in strata.itertuples()
    ]
    return {"confidence": confidence, **groups, "strata": each}


def read_review(path: Path) -> dict | None:
    """Return what `waage review --read` found last (see `review_result`), or None where there was no review."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def review_decisions(sample: pd.DataFrame, verdicts: pd.Series, who: str, when: str) -> pd.DataFrame:
    """Return decisions (action, pair, who, when, why): linked pairs that differ, review pairs that are the same."""
    judged = sample.assign(verdict=sample["pair_id"].map(verdicts))
    separate = (judged["status"] == "linked") & (judged["verdict"] == "different")
    link = (judged["status"] == "review") & (judged["verdict"] == "same")
    judged = judged.assign(action=np.where(separate, "separate", "link"), who=who, when=when)
    judged["why"] = "clerical review: " + judged["verdict"] + ", " + judged["stratum"]
    return judged.loc[separate | link, DECISION]


def _estimate(strata: pd.DataFrame, confidence: float) -> dict:
    counts = {name: int(strata[name].sum()) for name in ("pairs", "drawn", *VERDICTS, "missing")}
    decided = strata["same"] + strata["different"]
    share, effective, judged_pairs = _weighted(strata["pairs"], strata["same"], decided)
    all_of = decided + strata["unsure"]
    found = {"judged_pairs": judged_pairs, "share_same": share, "low": None, "high": None, "effective_n": effective}
    if share is not None:
        # Rounding may put share * n a hair above n, which is no count of n.
        found["low"], found["high"] = wilson(min(share * effective, effective), effective, confidence)
    found["share_if_unsure_same"] = _weighted(strata["pairs"], strata["same"] + strata["unsure"], all_of)[0]
    found["share_if_unsure_different"] = _weighted(strata["pairs"], strata["same"], all_of)[0]
    return counts | found


def _weighted(pairs: pd.Series, same: pd.Series, n: pd.Series) -> tuple[float | None, float, int]:
    """Return the share of pairs that are the same, Kish's effective sample size, and the pairs this speaks for."""
    pairs, same, n = (part[n > 0].to_numpy(float) for part in (pairs, same, n))
    if not len(n):
        return None, 0.0, 0
    share = float((pairs * same / n).sum() / pairs.sum())
    return share, float(pairs.sum() ** 2 / (pairs**2 / n).sum()), int(pairs.sum())
