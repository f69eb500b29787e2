"""Who the active customers are, as far as the study knows, and whom one may write to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.customer_base.periods import active_customers
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
    orders: ir.Table,
    persons: ir.Table,
    until: date,
    person_consents: ir.Table | None = None,
    *,
    home_country: str = "",
    min_cell: int = 10,
) -> Portrait:
    """Describe the active customers by gender, generation and region.

    Parameters
    ----------
    orders : ibis table
        As `waage.history.known_on` returns them.
    persons : ibis table
        person_id and what there is of gender (f, m, d), birth_date, country, postcode.
    until : date
    person_consents : ibis table or None
        Who objects to profiling is left out and counted.
    home_country : str
        Country of a postcode without one.
    min_cell : int

    Returns
    -------
    Portrait
    """
    active = active_customers(orders, until)
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
    hidden = (completeness["known"] > 0) & (completeness["known"] < min_cell)
    hidden |= (total - completeness["known"]).between(1, min_cell - 1)
    completeness[["known", "share"]] = completeness[["known", "share"]].mask(hidden)
    return Portrait(table, completeness, total, objectors)


def permissions(
    statuses: Mapping[str, ir.Table], persons: ir.Table, orders: ir.Table, until: date, *, min_cell: int = 10
) -> pd.DataFrame:
    """Count what customers said to advertising on each channel.

    Parameters
    ----------
    statuses : mapping of channel to ibis table
        person_id, status (granted, withdrawn, objected); one row a person at most.
    persons : ibis table
        person_id of everybody known.
    orders : ibis table
        As `waage.history.known_on` returns them.
    until : date
    min_cell : int

    Returns
    -------
    DataFrame
        channel, group (active customers, or all known persons), status (granted, withdrawn, objected, unknown),
        customers, share of the group; NaN where fewer than min_cell.
    """
    groups = {"active": active_customers(orders, until).select("person_id"), "all": persons.select("person_id")}
    parts = []
    for channel, status in statuses.items():
        for group, people in groups.items():
            joined = people.left_join(status, "person_id")
            counts = joined.group_by(status=ibis.coalesce(joined.status, UNKNOWN)).agg(customers=joined.count())
            found = counts.execute().set_index("status")["customers"].reindex(STATUSES, fill_value=0).astype(float)
            part = found.rename_axis("status").reset_index()
            part = part.assign(channel=channel, group=group, share=part["customers"] / (part["customers"].sum() or 1))
            parts.append(mask_small(part, "customers", "share", min_cell=min_cell))
    names = ["channel", "group", "status", "customers", "share"]
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names)


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
