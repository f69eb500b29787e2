"""What the report says: sentences and small tables made of the results of unification."""

from collections.abc import Mapping

import ibis.expr.types as ir
import pandas as pd

from waage import style
from waage.unify.gather import unlinked
from waage.unify.quality import LinkError, mask
from waage.unify.truth import PairScores


def first_finding(steps: pd.DataFrame, total: pd.Series, links: LinkError, language: str = "en") -> str:
    """Return the sentence for the board.

    Parameters
    ----------
    steps : DataFrame
        As `waage.unify.channels.record_steps` returns it.
    total : Series
        `face_shares` of the whole business: before, after.
    links : LinkError
    language : {"en", "de"}
    """
    n = steps.set_index("step")["n"]
    records, persons = (style.number(n[name], language) for name in ("records", "persons"))
    before, after = (style.percent(total[name], language, 1) for name in ("before", "after"))
    one_in = style.number(links.one_in, language) if links.links and links.expected_wrong else ""
    if language == "de":
        wrong = f"etwa 1 Verknüpfung von {one_in} ist falsch" if one_in else "keine zwei Kennungen wurden verknüpft"
        return (
            f"**Aus {records} Datensätzen wurden {persons} Personen; {after} der Nachfrage haben ein Gesicht "
            f"(vorher: {before}); {wrong}.**"
        )
    wrong = f"about 1 link in {one_in} is wrong" if one_in else "no two ids were linked"
    return (
        f"**From {records} records came {persons} persons; {after} of demand has a face (before: {before}); {wrong}.**"
    )


def view_through_finding(line: pd.Series, days: int, language: str = "en") -> str:
    """Return what share of store demand was viewed online before, beside chance; a row of `view_through`."""
    share, chance, lift = (style.percent(line[name], language, 1) for name in ("share", "placebo_share", "lift"))
    low, high = (style.percent(line[name], language, 1) for name in ("low", "high"))
    if line["persons"] == 0 or pd.isna(line["lift"]):
        return "Zu wenige Käufe." if language == "de" else "Too few store purchases of known persons to say anything."
    if language == "de":
        return (
            f"**Bei {share} der Filialnachfrage bekannter Personen wurde dasselbe Produkt in den {days} Tagen davor "
            f"online angesehen; {chance} wären Zufall. Mindestens {lift} (95 %: {low} bis {high}) begannen online.**"
        )
    return (
        f"**For {share} of the store demand of known persons the same product was viewed online in the {days} days "
        f"before; {chance} would be chance. So at least {lift} (95%: {low} to {high}) began online.**"
    )


def truth_finding(scores: PairScores, persons: int, agreed: int, found: int, faults: int, language: str = "en") -> str:
    """Return how the persons compare with the known truth, and the quarantine with the faults that were built in."""
    shown = {
        "precision": scores.precision, "recall": scores.recall, "F1": scores.f1, "B-cubed F1": scores.bcubed_f1,
    }  # fmt: skip
    values = ", ".join(f"{name} {style.percent(value, language, 1)}" for name, value in shown.items())
    counted = [style.number(value, language) for value in (persons, agreed, found, faults)]
    return (
        f"## Against the known truth\n\nBehind the ids are {counted[0]} real persons. Pairs of ids: {values}. "
        f"{counted[1]} of {counted[2]} quarantined rows are among the {counted[3]} faults that were built in."
    )


def review_finding(judged: Mapping, language: str = "en") -> str:
    """Return what clerical review found (`waage.unify.review.review_result`), with its day."""
    linked = judged["linked"]
    right, low, high = (style.percent(linked[name], language, 1) for name in ("share_same", "low", "high"))
    day = judged.get("read_on", "")
    return f"**Judged by a person ({day}), {right} of the links were right (95%: {low} to {high}).**"


def unlinked_rows(tables: Mapping[str, ir.Table], identity_map: ir.Table) -> pd.DataFrame:
    """Count the rows of each table that name an id, and those whose id no person has: table, rows, without_person."""
    named = {
        name: unlinked(table, identity_map)
        for name, table in tables.items()
        if name not in ("orders", "identities") and {"source", "source_id"} <= set(table.columns)
    }
    rows = [(name, *counts) for name, counts in named.items()]
    return pd.DataFrame(rows, columns=["table", "rows", "without_person"])


def unbooked_returns(returns: ir.Table | None, orders: ir.Table) -> float:
    """Return the amount of returns that name no order we know: it is in no order's net revenue."""
    if returns is None:
        return 0.0
    return float(returns.anti_join(orders, ["source", "order_id"]).amount.sum().execute() or 0)


def blocked_values(blocked: pd.DataFrame, min_cell: int = 10, most: int = 12) -> pd.DataFrame:
    """Return the values that link nothing, masked, those of most records first; rare ones are left out."""
    shown = blocked[blocked["records"] >= min_cell].head(most).copy()
    shown["value"] = [mask(value, kind) for value, kind in zip(shown["value"], shown["identifier"], strict=True)]
    return shown


def last_changes(changes: pd.DataFrame) -> pd.DataFrame:
    """Count the changes of the last run that changed anything: change, changes, records, as_of."""
    last = changes[changes["change_no"] == changes["change_no"].max()]
    counted = last.groupby("change").agg(
        changes=("person_id", "size"), records=("records", "sum"), as_of=("as_of", "max")
    )
    counted["as_of"] = counted["as_of"].dt.strftime("%Y-%m-%d")
    return counted.reset_index().replace({"change": {"new": "new persons", "gained": "gained records"}})


def unification_report(
    steps: pd.DataFrame, total: pd.Series, links: LinkError, rules: pd.DataFrame, sizes: pd.DataFrame
) -> pd.DataFrame:
    """Return the figures of the report as a table: measure, group, value.

    Parameters
    ----------
    steps, total, links
        As in `first_finding`.
    rules : DataFrame
        Of the resolution.
    sizes : DataFrame
        As `waage.unify.quality.cluster_sizes` returns it.
    """
    rows = [(step, "", n) for step, n in zip(steps["step"], steps["n"], strict=True)]
    rows += [("links", "", links.links), ("expected_wrong_links", "", links.expected_wrong)]
    rows += [("demand_share", face, total[face]) for face in ("before", "after", "guest", "anonymous")]
    rows += [("linked_by_rule", rule, n) for rule, n in zip(rules["rule"], rules["linked"], strict=True)]
    rows += [("persons_by_ids", size, n) for size, n in zip(sizes["size"], sizes["persons"], strict=True)]
    return pd.DataFrame(rows, columns=["measure", "group", "value"]).astype({"group": str, "value": float})
