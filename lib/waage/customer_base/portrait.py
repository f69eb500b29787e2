"""Who the active customers are, as far as the study knows, and whom one may write to."""

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.privacy import mask_small, may_profile

ATTRIBUTES = {"gender": ("gender",), "generation": ("birth_date",), "region": ("country", "postcode")}
GENDERS = {"f": "female", "m": "male", "d": "diverse"}
GENERATIONS = {"silent": 1945, "boomers": 1964, "gen_x": 1980, "millennials": 1996, "gen_z": 2012}
"""Last years of birth: Dimock, Defining generations (Pew Research Center 2019)."""
UNKNOWN, OTHER = "unknown", "all_other"
STATUSES = ("granted", "withdrawn", "objected", UNKNOWN)


@dataclass(frozen=True)
class Portrait:
    """A portrait of the active customers.

    Attributes
    ----------
    table : DataFrame
        attribute (gender, generation, region; those the study holds), level, customers, share, net_revenue,
        revenue_share (of 12 months). Levels of fewer than min_cell customers are NaN.
    completeness : DataFrame
        attribute, customers, known, share.
    customers, objectors : int
        Active customers in the portrait; those left out because they object to profiling.
    """

    table: pd.DataFrame
    completeness: pd.DataFrame
    customers: int
    objectors: int


def portrait(
    active: ir.Table,
    persons: ir.Table,
    person_consents: ir.Table | None = None,
    *,
    home_country: str = "",
    min_cell: int = 10,
) -> Portrait:
    """Describe the active customers by gender, generation and region.

    Parameters
    ----------
    active : ibis table
        As `active_customers` returns them; cached, it is computed once for all attributes.
    persons : ibis table
        person_id and what there is of gender (f, m, d), birth_date, country, postcode.
    person_consents : ibis table or None
        Who objects to profiling is left out and counted.
    home_country : str
        Country of a postcode without one.
    min_cell : int

    Returns
    -------
    Portrait
    """
    allowed = may_profile(active, person_consents)
    objectors = int(active.count().execute() - allowed.count().execute())
    held = {name: needed for name, needed in ATTRIBUTES.items() if needed[-1] in persons.columns}
    columns = [name for needed in ATTRIBUTES.values() for name in needed if name in persons.columns]
    people = allowed.left_join(persons.select("person_id", *columns), "person_id").drop("person_id_right")
    total = int(allowed.count().execute())
    tables, known = [], []
    for attribute in held:
        level = _LEVELS[attribute](people, home_country)
        counts = people.group_by(level=ibis.coalesce(level, UNKNOWN)).agg(
            customers=people.count(), net_revenue=people.net_revenue.sum()
        )
        found = _ordered(counts.execute().astype({"customers": float, "net_revenue": float}), attribute)
        sure = total - found.loc[found["level"] == UNKNOWN, "customers"].sum()
        known.append((attribute, total, sure, sure / total if total else float("nan")))
        revenue = found["net_revenue"].sum()
        found["share"] = found["customers"] / total
        found["revenue_share"] = found["net_revenue"] / revenue if revenue > 0 else float("nan")
        found.insert(0, "attribute", attribute)
        hide = ("share", "net_revenue", "revenue_share")
        tables.append(mask_small(found, "customers", *hide, min_cell=min_cell, others=objectors))
    names = ["attribute", "level", "customers", "share", "net_revenue", "revenue_share"]
    table = pd.concat(tables, ignore_index=True)[names] if total and tables else pd.DataFrame(columns=names)
    completeness = pd.DataFrame(known, columns=["attribute", "customers", "known", "share"])
    # What is known and its share would give the number of the unknown away, and of few who object.
    unknown = table[table["level"] == UNKNOWN].set_index("attribute")["customers"]
    hidden = completeness["attribute"].isin(unknown.index[unknown.isna()]) | (0 < objectors < min_cell)
    completeness[["known", "share"]] = completeness[["known", "share"]].mask(hidden)
    return Portrait(table, completeness, total, objectors)


def permissions(
    statuses: Mapping[str, ir.Table], persons: ir.Table, active: ir.Table, *, min_cell: int = 10
) -> pd.DataFrame:
    """Count what customers said to advertising on each channel.

    Parameters
    ----------
    statuses : mapping of channel to ibis table
        person_id, status (granted, withdrawn, objected); one row a person at most.
    persons : ibis table
        person_id of everybody known.
    active : ibis table
        As `active_customers` returns them.
    min_cell : int

    Returns
    -------
    DataFrame
        channel, group (active customers, or all known persons), status (granted, withdrawn, objected, unknown),
        customers, share of the group; NaN where fewer than min_cell (or where so few of all are not active), and where
        that would give them away: a channel hides two statuses or none, and as an objection holds on every channel,
        all channels hide it or none.
    """
    groups = {"active": active.select("person_id"), "all": persons.select("person_id")}
    counts = {}
    for channel, status in statuses.items():
        for group, people in groups.items():
            joined = people.left_join(status, "person_id")
            found = joined.group_by(status=ibis.coalesce(joined.status, UNKNOWN)).agg(n=joined.count()).execute()
            counts[channel, group] = found.set_index("status")["n"].reindex(STATUSES, fill_value=0).astype(float)
    if not counts:
        return pd.DataFrame(columns=["channel", "group", "status", "customers", "share"])
    wide = pd.DataFrame(counts).rename_axis("status").rename_axis(["channel", "group"], axis=1)
    hidden = wide.gt(0) & wide.lt(min_cell)
    for channel in statuses:  # all without the active ones are a group, too
        hidden[channel, "all"] |= (wide[channel, "all"] - wide[channel, "active"]).between(1, min_cell - 1)
    for group in groups:
        keys = [(channel, group) for channel in statuses]
        hidden[keys] = _with_partners(wide[keys], hidden[keys], min_cell)
    shares = (wide / wide.sum()).fillna(0.0)
    return pd.DataFrame(
        {"customers": wide.mask(hidden).unstack(), "share": shares.mask(hidden).unstack()}
    ).reset_index()


def _with_partners(wide: pd.DataFrame, hidden: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Hide objections on all channels or on none, and more of a channel until it hides two statuses, and enough."""
    while True:
        before = hidden.copy()
        hidden.loc["objected"] |= hidden.loc["objected"].any()
        for key in wide:
            own, sizes = hidden[key], wide[key]
            left = sizes[~own].sort_values(key=lambda n: n.where(n > 0, float("inf")), kind="stable")
            if len(left) and (own.sum() == 1 or 0 < sizes[own].sum() < min_cell):
                hidden.loc[left.index[0], key] = True
        if hidden.equals(before):
            return hidden


def _gender(people: ir.Table, home_country: str) -> ir.StringValue:
    return ibis.cases(*((people.gender == key, level) for key, level in GENDERS.items()))


def _generation(people: ir.Table, home_country: str) -> ir.StringValue:
    born = people.birth_date.year()
    bounds = [(born <= last, level) for level, last in GENERATIONS.items()]
    return ibis.cases((born.isnull(), UNKNOWN), *bounds, else_="younger")


def _region(people: ir.Table, home_country: str) -> ir.StringValue:
    zone = people.postcode.strip().substr(0, 1).upper().nullif("")
    country = people.country.upper() if "country" in people.columns else ibis.null("string")
    return (ibis.coalesce(country, home_country) + " " + zone).strip()


_LEVELS = {"gender": _gender, "generation": _generation, "region": _region}


def _ordered(found: pd.DataFrame, attribute: str, most: int = 15) -> pd.DataFrame:
    """Put levels in their natural order, unknown last; regions after the largest are one."""
    if attribute == "region":
        named = found[found["level"] != UNKNOWN].sort_values(["customers", "level"], ascending=[False, True])
        rest = named.iloc[most:]
        found = pd.concat([named.iloc[:most].sort_values("level"), found[found["level"] == UNKNOWN]])
        if len(rest):
            other = {"level": OTHER, **rest[["customers", "net_revenue"]].sum()}
            found = pd.concat([found, pd.DataFrame([other])])
        return found.reset_index(drop=True)
    order = [*GENDERS.values(), UNKNOWN] if attribute == "gender" else [*GENERATIONS, "younger", UNKNOWN]
    return found.set_index("level").reindex(order, fill_value=0.0).rename_axis("level").reset_index()
