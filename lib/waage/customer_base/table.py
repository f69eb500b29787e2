"""The result table `customer_base`: every figure of the report as one row."""

import pandas as pd

from waage.customer_base.activity import Activity
from waage.customer_base.channels import Channels
from waage.customer_base.concentration import Concentration
from waage.customer_base.newcomers import Newcomers
from waage.customer_base.portrait import Portrait
from waage.customer_base.rates import Rates

COLUMNS = ["month", "measure", "group", "value", "value_before", "complete"]
_SUFFIX = {"month": "", "fiscal_year": "_fy", "rolling": "_12m"}
_PER_CHANNEL = ("customers", "orders", "demand", "net_revenue", "basket", "share")


def customer_base_table(
    activity: Activity,
    rates: Rates,
    channels: Channels,
    newcomers: Newcomers,
    concentration: Concentration,
    portrait: Portrait,
    permissions: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Put the report's figures into one table; what cannot be told or is hidden has no row.

    Returns
    -------
    DataFrame
        month (first day of the month; of the fiscal year for measures that end in _fy; of the last month for what
        looks at the last 12 months), measure, group (all, or a channel, level or status), value, value_before (NaN
        where nothing can be compared), complete (False: the period is running). One row for each of the first three.
    """
    last = pd.Timestamp(activity.history.until.replace(day=1))
    known = activity.table[activity.table["known"]]
    month = known["period"].where(known["grain"] != "rolling", last)
    parts = [known.assign(month=month, measure=known["measure"] + known["grain"].map(_SUFFIX))]
    month = rates.table["period"].where(rates.table["grain"] != "rolling", last)
    parts.append(rates.table.assign(month=month, measure=rates.table["measure"] + rates.table["grain"].map(_SUFFIX)))
    for name in _PER_CHANNEL:
        rows = channels.table[["channel", name, f"{name}_before"]].set_axis(["group", "value", "value_before"], axis=1)
        parts.append(rows.assign(month=last, measure=f"channel_{name}"))
    for name in [column for column in newcomers.table if column.startswith(("basket", "within_"))]:
        rows = newcomers.table[["month", name, "complete"]].rename(columns={name: "value"})
        parts.append(rows.assign(measure=f"newcomers_{name}"))
    for name, mix in (("first_channel", newcomers.channels), ("first_category", newcomers.categories)):
        rows = mix[["level", "share", "share_before"]].set_axis(["group", "value", "value_before"], axis=1)
        parts.append(rows.assign(month=last, measure=name))
    tops = {f"top {top:.0%}": share for top, share in concentration.table[["top", "share"]].itertuples(index=False)}
    parts.append(_rows("top_share", tops).assign(month=last))
    parts.append(_rows("gini", {"all": concentration.gini}).assign(month=last))
    for name in ("customers", "revenue_share"):
        rows = portrait.table.rename(columns={"level": "group", name: "value"})
        measure = "portrait_" + rows["attribute"].astype(str) + ("" if name == "customers" else "_revenue_share")
        parts.append(rows[["group", "value"]].assign(measure=measure, month=last))
    complete = portrait.completeness.set_index("attribute")["share"].to_dict()
    parts.append(_rows("completeness", complete).assign(month=last))
    if permissions is not None:
        measure = "permission_" + permissions["channel"].astype(str) + "_" + permissions["group"].astype(str)
        rows = permissions[["status", "customers"]].set_axis(["group", "value"], axis=1)
        parts.append(rows.assign(measure=measure, month=last))
    filled = [part.reindex(columns=COLUMNS) for part in parts if len(part)]
    table = pd.concat([part.astype({"value": float, "value_before": float, "complete": object}) for part in filled])
    table = table[table["value"].notna() & (activity.customers >= activity.min_cell)]
    table = table.assign(
        month=table["month"].dt.date,
        group=table["group"].astype(object).where(table["group"].notna(), "all").astype(str),
        complete=table["complete"].astype(object).where(table["complete"].notna(), True).astype(bool),
    )
    return table.sort_values(["month", "measure", "group"], ignore_index=True)


def _rows(measure: str, values: dict[str, float]) -> pd.DataFrame:
    rows = pd.DataFrame({"group": list(values), "value": list(values.values())}, dtype=object)
    return rows.assign(measure=measure)
