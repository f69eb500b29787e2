"""The weekly panel: scores and performance of every unit, side by side as arrays of units x weeks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.signal import lfilter

from waage.errors import Refusal, Told, WaageError, did_you_mean, told
from waage.history import local_day
from waage.ix.moments import two_way_moments

OUTCOMES = ("visits", "conversion", "basket", "demand")

#: How a control enters the model where its study does not say: prices and spending work in percent, spending lingers.
TRANSFORMS = {"price_index": "log", "marketing_spend": "log_adstock"}

#: Share of the weeks that a control may cost by its own gaps before it is left out. A judgement.
MOST_LOST = 0.2

_KNOWN = ("unit", "week", "visits", "orders", "demand", "tracking_share")
_VISITS = ("visit", "view", "cart", "search")
_KINDS = ("level", "log", "log_adstock")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Panel:
    """Units x weeks (G x T), or x blocks of weeks; NaN where a unit has no score or no performance.

    Attributes
    ----------
    units : tuple of str
    weeks : DatetimeIndex
        Mondays on which weeks, or blocks of `block_weeks` weeks, begin.
    score, variance, n : arrays (G, T)
        IX (0-100), its sampling variance (points squared), respondents.
    halves : array (2, G, T) or None
        The score of two random halves of the respondents, for the split-half estimate.
    visits, orders, demand : arrays (G, T)
        Sums of the week or block; demand in the study's currency.
    controls : array (G, T, K)
        As they enter the model; `control_names` has their names.
    exposure : array (G, T, J) or None
        Share of the week under an incident of each of the J `kinds` that touched single units.
    negative : array (G, T) or None
        Logs of a negative-control outcome: something the experience cannot change.
    block_weeks : int
    notes : tuple of str
        What was left out, and why.
    """

    units: tuple[str, ...]
    weeks: pd.DatetimeIndex
    score: np.ndarray
    variance: np.ndarray
    n: np.ndarray
    visits: np.ndarray
    orders: np.ndarray
    demand: np.ndarray
    controls: np.ndarray
    control_names: tuple[str, ...] = ()
    halves: np.ndarray | None = None
    exposure: np.ndarray | None = None
    kinds: tuple[str, ...] = ()
    negative: np.ndarray | None = None
    block_weeks: int = 1
    notes: tuple[str, ...] = ()

    @property
    def outcomes(self) -> np.ndarray:
        """Logs of visits, conversion (orders per visit), basket (demand per order) and demand, shape (G, T, 4)."""
        visits, orders, demand = (np.log(part) for part in (self.visits, self.orders, self.demand))
        return np.stack([visits, orders - visits, demand - orders, demand], axis=2)

    @property
    def summary(self) -> pd.DataFrame:
        """One row a unit: unit, first, last (weeks with a score), weeks, gaps (weeks without score or sales)."""
        rows = []
        for unit, good in zip(self.units, np.isfinite(self.score) & np.isfinite(self.demand), strict=True):
            at = np.flatnonzero(good)
            if at.size:
                rows.append((unit, self.weeks[at[0]], self.weeks[at[-1]], at.size, at[-1] - at[0] + 1 - at.size))
            else:
                rows.append((unit, pd.NaT, pd.NaT, 0, 0))
        return pd.DataFrame(rows, columns=["unit", "first", "last", "weeks", "gaps"])

    def select(self, units: Sequence[int]) -> "Panel":
        """Return the panel of some units, by their places."""
        return self._with(lambda a: a[units], units=tuple(self.units[g] for g in units))

    def between(self, first: int, last: int) -> "Panel":
        """Return the panel of weeks first to last - 1, by their places."""
        return self._with(lambda a: a[:, first:last], weeks=self.weeks[first:last])

    def _with(self, change, **other) -> "Panel":
        names = ("score", "variance", "n", "visits", "orders", "demand", "controls", "exposure", "negative")
        arrays = {name: change(getattr(self, name)) for name in names if getattr(self, name) is not None}
        if self.halves is not None:
            arrays["halves"] = np.stack([change(half) for half in self.halves])
        return replace(self, **arrays, **other)


def build_panel(
    scores: pd.DataFrame,
    performance: pd.DataFrame,
    *,
    incidents: pd.DataFrame | None = None,
    controls: Sequence[str] | Mapping[str, str] | None = None,
    negative_control: str | None = None,
    time_zone: str = "Europe/Berlin",
    adstock: float = 0.5,
) -> Panel:
    """Put scores and performance side by side.

    Parameters
    ----------
    scores : DataFrame
        One row a unit and week: unit, week (Monday), ix (0-100), variance (of its sampling error), n; optionally
        ix_a and ix_b, the score of two random halves of the respondents.
    performance : DataFrame
        One row a unit and week: unit, week (Monday), visits, orders, demand (all above 0), and controls.
    incidents : DataFrame, optional
        started_at, ended_at (naive UTC), unit (missing: all), kind. Those of single units with an end become
        `exposure`; releases do not, because whether they help or harm is not known beforehand.
    controls : sequence of str, or mapping of str to {"level", "log", "log_adstock"}, optional
        Columns of `performance`; without it, every other column. One that unit and week effects already hold, or
        that repeats the others, is an error where it was asked for, and else left out with a note.
    negative_control : str, optional
        A column of `performance` above 0 that the experience cannot change.
    time_zone : str
        In which weeks are cut.
    adstock : float
        Share of last week's spending that still works (0 to 1); a judgement.

    Raises
    ------
    WaageError
        Missing columns, weeks that are not Mondays, unit-weeks that occur twice,
        scores outside 0-100, unknown or collinear controls: all faults together.
    Refusal
        Where visits, orders or demand of 0, which have no log, are all that is wrong (in weeks that have a score).
    """
    perf_columns = ["unit", "week", "visits", "orders", "demand"]
    faults = _missing("ix_scores", scores, ["unit", "week", "ix", "variance", "n"])
    faults += _missing("performance", performance, perf_columns)
    if faults:
        raise WaageError("panel: " + "; ".join(faults))
    scores, performance = scores.assign(week=_mondays(scores)), performance.assign(week=_mondays(performance))
    faults = _faults("ix_scores", scores) + _faults("performance", performance)
    wrong = scores["ix"].notna() & ~scores["ix"].between(0, 100)
    faults += _first("ix_scores.ix", scores, wrong, "lie outside 0-100; check scale_min and scale_max of the items")
    notes = []
    wrong = scores["ix"].notna() & ~(scores["variance"] > 0)
    reason = "have no variance above 0 and take no part; a cell needs two different answers"
    notes += _first("ix_scores.variance", scores, wrong, reason)
    scores = scores.assign(**{name: scores[name].mask(wrong) for name in ("ix", "variance")})
    taking = performance[["unit", "week"]].merge(
        scores.loc[scores["ix"].notna(), ["unit", "week"]].drop_duplicates(), how="left", indicator=True
    )
    taking = (taking["_merge"] == "both").to_numpy()
    positive = ["visits", "orders", "demand"] + ([negative_control] if negative_control in performance else [])
    no_logs = []
    for name in positive:
        without = performance[name].notna() & ~(performance[name].astype(float) > 0)
        wrong = without & taking
        performance = performance.assign(**{name: performance[name].astype(float).mask(without)})
        reason = "are not above 0 and have no log; merge the unit with another, or leave these weeks out"
        no_logs += _first(f"performance.{name}", performance, wrong, reason)
    if negative_control is not None and negative_control not in performance:
        hint = did_you_mean(negative_control, performance.columns)
        faults.append(f"negative_control: performance has no column {negative_control!r}{hint}")
    other = [c for c in performance if c not in _KNOWN and c != negative_control]
    texts = [c for c in other if not pd.api.types.is_numeric_dtype(performance[c])]
    other = [c for c in other if c not in texts]
    if texts and controls is None:
        notes.append(f"performance: {', '.join(texts)} hold no numbers and are no controls")
    asked = {c: TRANSFORMS.get(c, "level") for c in (other if controls is None else controls)}
    if isinstance(controls, Mapping):
        asked = dict(controls)
    faults += _control_faults(asked, performance)
    units = sorted(set(scores["unit"]) & set(performance["unit"]))
    if not units:
        example = str(next(iter(scores["unit"]), ""))
        hint = did_you_mean(example, performance["unit"].unique())
        faults.append(f"ix_scores and performance share no unit; unit {example!r} of ix_scores{hint}")
    if faults:
        raise WaageError("panel: " + "; ".join([*faults, *no_logs]))
    if no_logs:
        raise Refusal("panel: " + "; ".join(no_logs))
    for name, table in (("ix_scores", scores), ("performance", performance)):
        alone = sorted(set(table["unit"]) - set(units))
        if alone:
            listed = ", ".join(map(str, alone))
            english = f"{len(alone)} units are only in {name} and left out: {listed}"
            notes.append(Told(english, f"{len(alone)} Einheiten stehen nur in {name} und bleiben außen vor: {listed}"))
    both = pd.concat([scores["week"], performance["week"]])
    weeks = pd.date_range(both.min(), both.max(), freq="7D")

    def wide(table: pd.DataFrame, column: str) -> np.ndarray:
        found = table.pivot(index="unit", columns="week", values=column).reindex(index=units, columns=weeks)
        return found.to_numpy(dtype=float, na_value=np.nan)

    halves = None
    if {"ix_a", "ix_b"} <= set(scores):
        halves = np.stack([wide(scores, "ix_a"), wide(scores, "ix_b")])
    exposure, kinds = _exposure(incidents, units, weeks, time_zone)
    if incidents is not None and len(incidents):
        endless = incidents[
            incidents["unit"].isin(units) & (incidents["kind"] != "release") & incidents["ended_at"].isna()
        ]
        if len(endless):
            kinds_lost = ", ".join(sorted(endless["kind"].unique()))
            notes.append(f"{len(endless)} incidents without an end are left out: {kinds_lost}")
    panel = Panel(
        units=tuple(map(str, units)),
        weeks=weeks,
        score=wide(scores, "ix"),
        variance=wide(scores, "variance"),
        n=wide(scores, "n"),
        visits=wide(performance, "visits"),
        orders=wide(performance, "orders"),
        demand=wide(performance, "demand"),
        controls=_transformed(
            {name: wide(performance, name) for name in asked}, asked, adstock, (len(units), len(weeks))
        ),
        control_names=tuple(asked),
        halves=halves,
        exposure=exposure,
        kinds=kinds,
        negative=np.log(wide(performance, negative_control)) if negative_control else None,
        notes=tuple(notes),
    )
    return without_collinear(panel, must=controls is not None)


def merge_weeks(panel: Panel, block_weeks: int) -> Panel:
    """Merge weeks into blocks, so that a thin sample carries more answers a period.

    Scores are averaged with the numbers of respondents as weights, n^2 v / (sum n)^2 being their variance; visits,
    orders and demand are added, controls averaged. A block needs every week of performance, and ends with the newest
    week; what is left over at the beginning is dropped.

    Parameters
    ----------
    panel : Panel
        Of single weeks.
    block_weeks : int
        2 or 4 are usual.
    """
    if panel.block_weeks != 1 or block_weeks < 1:
        raise WaageError(f"merge_weeks: blocks of {block_weeks} weeks are made from single weeks, not from blocks")
    if block_weeks == 1:
        return panel
    T = len(panel.weeks)
    cut, blocks = T % block_weeks, T // block_weeks

    def by_block(values: np.ndarray) -> np.ndarray:
        return values[:, cut:].reshape(values.shape[0], blocks, block_weeks, *values.shape[2:])

    def mean(values: np.ndarray, power: int = 1) -> np.ndarray:
        # A week, or one of its halves, that is missing has no weight; it is not a score of 0.
        n = by_block(np.where(np.isfinite(panel.score) & np.isfinite(values), panel.n, 0.0))
        total = n.sum(axis=2)
        summed = (n**power * np.nan_to_num(by_block(values))).sum(axis=2)
        return np.divide(summed, total**power, out=np.full(total.shape, np.nan), where=total > 0)

    return replace(
        panel,
        weeks=panel.weeks[cut::block_weeks],
        score=mean(panel.score),
        variance=mean(panel.variance, 2),
        n=by_block(np.where(np.isfinite(panel.score), panel.n, 0.0)).sum(axis=2),
        halves=None if panel.halves is None else np.stack([mean(half) for half in panel.halves]),
        **{name: by_block(getattr(panel, name)).sum(axis=2) for name in ("visits", "orders", "demand")},
        controls=by_block(panel.controls).mean(axis=2),
        exposure=None if panel.exposure is None else by_block(panel.exposure).mean(axis=2),
        negative=None if panel.negative is None else by_block(panel.negative).mean(axis=2),
        block_weeks=block_weeks,
    )


def performance_from(
    orders: ir.Table,
    events: ir.Table,
    units: ir.Table,
    time_zone: str,
    order_lines: ir.Table | None = None,
) -> ir.Table:
    """Count visits, orders and demand of every unit and week where a study has no `performance`.

    A unit is a category on a device, or one of the two. A session visits a unit when it has a visit, view, cart or
    search there; an order
    belongs to every unit it has a line of, with the revenue of those lines (without lines, units of devices only).

    Parameters
    ----------
    orders, events, units, order_lines : ibis tables
        As in the contract. Cancelled orders count: demand is what was ordered.
    time_zone : str

    Returns
    -------
    ibis table
        unit, week (Monday, local), visits, orders, demand.

    Raises
    ------
    WaageError
        If units have neither category nor device, or have categories and there are no order lines.
    """
    filled = units.aggregate(category=units.category.count(), device=units.device.count()).to_pyarrow().to_pylist()[0]
    keys = [name for name in ("category", "device") if filled[name]]
    if not keys:
        raise WaageError("performance: units have neither category nor device, so orders and events fit to none")
    if "category" in keys and order_lines is None:
        raise WaageError("performance: units have categories, but there are no order_lines to find an order's in")

    def week(moment):
        return local_day(moment, time_zone).truncate("W")

    sold = orders.select("source", "order_id", "device", "revenue", week=week(orders.ordered_at))
    if "category" in keys:
        lines = order_lines.group_by("source", "order_id", "category").agg(revenue=order_lines.revenue.sum())
        sold = sold.drop("revenue").inner_join(lines, ["source", "order_id"])
    sold = sold.group_by(*keys, "week").agg(orders=sold.count(), demand=sold.revenue.sum())
    # Mails that are opened and cards that are scanned are no visits.
    seen = events.filter(events.event.isin(_VISITS)).mutate(week=week(events.occurred_at))
    session = ibis.coalesce(seen.session_id, seen.event_id)
    seen = seen.group_by(*keys, "week").agg(visits=session.nunique())
    table = seen.inner_join(units.select("unit", *keys), keys)
    table = table.left_join(sold, [*keys, "week"])
    return table.select(
        "unit",
        "week",
        "visits",
        orders=table.orders.fill_null(0),
        demand=table.demand.fill_null(0),
    ).order_by("unit", "week")


def _mondays(table: pd.DataFrame) -> pd.Series:
    return pd.to_datetime(table["week"]).dt.normalize().astype("datetime64[ns]")


def _missing(name: str, table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    return [f"{name}.{c} is missing{did_you_mean(c, table.columns)}" for c in columns if c not in table]


def _faults(name: str, table: pd.DataFrame) -> list[str]:
    empty = int(table["week"].isna().sum())
    faults = [f"{name}.week: {empty} rows have no week; give each its Monday"] if empty else []
    table = table[table["week"].notna()]
    off = table["week"].dt.day_of_week != 0
    if off.any():
        first = table[off].iloc[0]
        found = ", ".join(_DAYS[d] for d in sorted(table.loc[off, "week"].dt.day_of_week.unique()))
        faults.append(
            f"{name}.week: {off.sum()} rows are not Mondays but {found}, first {first['week'].date()} of unit "
            f"{first['unit']!r}; a week begins on Monday"
        )
    twice = table.duplicated(["unit", "week"])
    return faults + _first(name, table, twice, "repeat a unit's week; give one row each")


def _first(name: str, table: pd.DataFrame, wrong: pd.Series, text: str) -> list[str]:
    if not wrong.any():
        return []
    row = table[wrong.to_numpy()].iloc[0]
    return [f"{name}: {wrong.sum()} rows {text}; first {row['unit']!r} in the week of {row['week'].date()}"]


def _control_faults(asked: Mapping[str, str], performance: pd.DataFrame) -> list[str]:
    faults = []
    for name, kind in asked.items():
        if name not in performance:
            faults.append(f"controls: performance has no column {name!r}{did_you_mean(name, performance.columns)}")
        elif not pd.api.types.is_numeric_dtype(performance[name]):
            faults.append(f"controls: performance.{name} holds no numbers, such as {performance[name].iloc[0]!r}")
        elif kind not in _KINDS:
            faults.append(f"controls: {name} as {kind!r} is none of {', '.join(_KINDS)}{did_you_mean(kind, _KINDS)}")
        elif kind == "log" and (performance[name] <= 0).any():
            faults += _first(f"controls.{name}", performance, performance[name] <= 0, "have no log; take it as level")
    return faults


def _transformed(raw: dict[str, np.ndarray], kinds: Mapping[str, str], adstock: float, shape) -> np.ndarray:
    columns = []
    for name, values in raw.items():
        if kinds[name] == "log_adstock":
            known = np.isfinite(values)
            mean = np.where(known, values, 0).sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1), 1)[:, None]
            filled = np.where(np.isnan(values), mean, values)
            # Before the first week spending is taken to have been the first weeks' usual.
            stock, _ = lfilter([1.0], [1.0, -adstock], filled, axis=1, zi=adstock * mean / (1 - adstock))
            # Where a unit never spent, its log is that of next to nothing.
            usual = np.nanmean(values) if np.nansum(values) > 0 else 1.0
            values = np.where(
                np.isnan(values), np.nan, np.log(np.maximum(stock, 1e-3 * np.where(mean > 0, mean, usual)))
            )
        elif kinds[name] == "log":
            values = np.log(values)
        columns.append(values)
    return np.stack(columns, axis=2) if columns else np.empty((*shape, 0))


def _exposure(incidents, units, weeks, time_zone) -> tuple[np.ndarray | None, tuple[str, ...]]:
    if incidents is None or not len(incidents):
        return None, ()
    rows = incidents[incidents["unit"].isin(units) & (incidents["kind"] != "release")]
    rows = rows[rows["ended_at"].notna()]
    kinds = tuple(sorted(rows["kind"].unique()))
    if not kinds:
        return None, ()

    def days(moments: pd.Series) -> np.ndarray:
        local = pd.to_datetime(moments).dt.tz_localize("UTC").dt.tz_convert(time_zone).dt.tz_localize(None)
        return ((local - weeks[0]) / pd.Timedelta(days=1)).to_numpy()[:, None]

    monday = 7.0 * np.arange(len(weeks))
    start, end = days(rows["started_at"]), days(rows["ended_at"])
    share = np.clip(np.minimum(end, monday + 7) - np.maximum(start, monday), 0, None) / 7
    exposure = np.zeros((len(units), len(weeks), len(kinds)))
    unit, kind = pd.Index(units).get_indexer(rows["unit"]), pd.Index(kinds).get_indexer(rows["kind"])
    np.add.at(exposure, (unit, slice(None), kind), share)
    return exposure, kinds


def without_collinear(panel: Panel, must: bool) -> Panel:
    """Leave out controls that cost many rows, and those that unit and week effects or other controls already hold."""
    panel = _without_gaps(panel)
    K = len(panel.control_names)
    rows = np.isfinite(panel.score) & np.isfinite(panel.demand) & np.isfinite(panel.controls).all(axis=2)
    if not K or not rows.any():
        return panel
    scale = panel.controls[rows].std(axis=0)
    cross = two_way_moments(panel.controls / np.where(scale > 0, scale, 1), panel.control_names, rows).cross[0]
    kept, faults = [], []
    for k, name in enumerate(panel.control_names):
        left = cross[k, k]
        if not left > 1e-8 * rows.sum():
            english = f"{name} does not vary beyond unit and week effects (the same in all units, or all weeks)"
            faults.append(
                Told(
                    english,
                    f"{name} ist über Einheiten oder Wochen hinaus nicht verschieden (überall oder immer gleich)",
                )
            )
            continue
        if kept:
            at = np.ix_(kept, kept)
            left -= cross[k, kept] @ np.linalg.solve(cross[at], cross[kept, k])
        if left > 1e-8 * cross[k, k]:
            kept.append(k)
        else:
            listed = ", ".join(panel.control_names[j] for j in kept)
            faults.append(Told(f"{name} is a combination of {listed}", f"{name} ergibt sich aus {listed}"))
    if faults and must:
        raise WaageError(f"panel: controls: {'; '.join(faults)}; leave it out")
    return replace(
        panel,
        controls=panel.controls[:, :, kept],
        control_names=tuple(panel.control_names[k] for k in kept),
        notes=(*panel.notes, *(_left_out(fault) for fault in faults)),
    )


def _left_out(fault: Told) -> Told:
    return Told(f"control left out: {fault}", f"Kontrollgröße ausgelassen: {told(fault, 'de')}")


def _without_gaps(panel: Panel) -> Panel:
    good = np.isfinite(panel.score) & np.isfinite(panel.demand)
    lost = (~np.isfinite(panel.controls) & good[:, :, None]).sum(axis=(0, 1)) / max(good.sum(), 1)
    kept = np.flatnonzero(lost <= MOST_LOST)
    names = panel.control_names
    if len(kept) == len(names):
        return panel
    notes = [
        _left_out(
            Told(
                f"{name} is missing in {share:.0%} of the weeks with score and sales, which would be lost",
                f"{name} fehlt in {100 * share:.0f} % der Wochen mit Wert und Absatz, die verloren gingen",
            )
        )
        for name, share in zip(names, lost, strict=True)
        if share > MOST_LOST
    ]
    return replace(
        panel,
        controls=panel.controls[:, :, kept],
        control_names=tuple(names[k] for k in kept),
        notes=(*panel.notes, *notes),
    )
