"""What points of IX are worth in a year: euros with joint intervals, the way back, and where no number is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.stats import t as student

from waage import style
from waage.errors import WaageError
from waage.ix.checks import grade_words
from waage.ix.guards import POWER_FACTOR
from waage.ix.link import Link
from waage.ix.moments import jackknife_covariance
from waage.ix.panel import OUTCOMES, Panel

#: Largest plausible effect of a point on demand in e-commerce (log points); above, look for a defect. A judgement.
IMPLAUSIBLE = 0.02

_PARTS = OUTCOMES[:3]
_DRAWS = 20_000


@dataclass(frozen=True)
class Value:
    """What a change of IX is worth, from a link and the demand of the last year.

    Attributes
    ----------
    link : Link
    yearly_demand : float
        Demand of the last 52 weeks in the study's currency; units that began within them are scaled up.
    net_share : float
        Net revenue per demand, after cancellations and returns (0 to 1).
    margin_rate : float
        Margin per net revenue (0 to 1).
    diversion : float
        Share of the effect that units take from each other (0 to 1), taken off; 0 where it is not known.
    support : tuple of float
        5 % and 95 % of the moves that units made within themselves (points, survey noise taken out): no number is given
        for larger ones.
    levels : DataFrame
        unit, ix (last 13 weeks), variance, visits, orders, demand (last 52 weeks), low, high (support of own moves);
        units without sales in these weeks have no row.
    grade : str
    currency : str
    seed : int
    """

    link: Link
    yearly_demand: float
    net_share: float
    margin_rate: float
    diversion: float
    support: tuple[float, float]
    levels: pd.DataFrame
    grade: str
    currency: str = "EUR"
    seed: int = 7

    @cached_property
    def draws(self) -> np.ndarray:
        """Joint draws of the long-run effects on visits, conversion, basket and demand (their sum), shape (n, 4).

        From the multivariate t with the jackknife's covariance and units - 1 degrees of freedom.
        """
        rng = np.random.default_rng(self.seed)
        covariance = jackknife_covariance(self.link.long_runs[:, :3])
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0))
        normal = rng.standard_normal((_DRAWS, 3)) @ root.T
        scale = np.sqrt(self.link.df / rng.chisquare(self.link.df, (_DRAWS, 1)))
        parts = (self.link.long_runs[0, :3] + normal * scale) * (1 - self.diversion)
        return np.column_stack([parts, parts.sum(axis=1)])

    def per_year(
        self, points: float, variance: float = 0.0, cost: float | None = None, confidence: float = 0.95
    ) -> pd.DataFrame:
        """Return what `points` more are worth in a year, once the whole effect is there and in the first year.

        D0 (exp(LR d) - 1), with LR drawn from its t and d from N(points, variance) where the move is itself measured.

        Parameters
        ----------
        points : float
            Change of IX that lasts.
        variance : float
            Sampling variance of that change, if it was measured (points squared).
        cost : float, optional
            Yearly cost, in the study's currency, against which the margin is held.
        confidence : float

        Returns
        -------
        DataFrame
            One row a measure (demand, net_revenue, margin): value, low, high, year_1, p_above_cost (of the margin),
            supported. Beyond `support` the numbers are NaN.
        """
        moved = points + np.sqrt(variance) * np.random.default_rng(self.seed + 1).standard_normal(_DRAWS)
        share, supported = np.expm1(self.draws[:, 3] * moved), self.supports(points)
        year_1 = self.link.year_1()
        rows = []
        for measure, factor in (
            ("demand", 1.0),
            ("net_revenue", self.net_share),
            ("margin", self.net_share * self.margin_rate),
        ):
            amount = share * self.yearly_demand * factor
            low, high = np.quantile(amount, [(1 - confidence) / 2, (1 + confidence) / 2])
            paid = float((amount > cost).mean()) if cost is not None and measure == "margin" else np.nan
            rows.append((measure, float(np.median(amount)), low, high, float(np.median(amount)) * year_1, paid))
        table = pd.DataFrame(rows, columns=["measure", "value", "low", "high", "year_1", "p_above_cost"])
        if not supported:
            table.loc[:, table.columns[1:]] = np.nan
        return table.assign(supported=supported)

    def parts(self, points: float = 1.0, confidence: float = 0.95) -> pd.DataFrame:
        """Return the effect of `points` by outcome as shares: outcome, change, low, high; drawn jointly."""
        change = np.expm1(self.draws * points)
        ends = np.quantile(change, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
        centre = np.expm1(self.link.long_runs[0] * (1 - self.diversion) * points)
        return pd.DataFrame({"outcome": OUTCOMES, "change": centre, "low": ends[0], "high": ends[1]})

    def supports(self, points: float) -> bool:
        """Return whether units have moved as far as that within the window."""
        return bool(self.support[0] <= points <= self.support[1])

    def curve(self, most: float | None = None, steps: int = 41) -> pd.DataFrame:
        """Return the what-if curve for charts: points, value, low, high, supported (demand; numbers throughout)."""
        reach = max(abs(self.support[0]), abs(self.support[1])) * 1.5 if most is None else most
        points = np.linspace(-reach, reach, steps)
        share = np.expm1(points[:, None] * np.quantile(self.draws[:, 3], [0.025, 0.5, 0.975])) * self.yearly_demand
        share = np.sort(share, axis=1)
        inside = (points >= self.support[0]) & (points <= self.support[1])
        frame = {"points": points, "value": share[:, 1], "low": share[:, 0], "high": share[:, 2], "supported": inside}
        return pd.DataFrame(frame)

    def table(self, points: float = 1.0) -> pd.DataFrame:
        """Return what `ix_value` holds, from which `what_if` and `points_needed` answer without the panel.

        Parameters
        ----------
        points : float
            Change of IX that is valued; where it lies beyond the support of a unit its value is NaN.

        Returns
        -------
        DataFrame
            One row a unit ("all": the shop) and measure (visits, orders, demand, net_revenue, margin): base (a year),
            effect, effect_low, effect_high (log points per point of IX, 95 %), points, value, low, high (a year),
            year_1, support_low, support_high, visible (smallest move the survey sees), ix, grade.
        """
        draws = {"visits": self.draws[:, 0], "orders": self.draws[:, :2].sum(axis=1), "demand": self.draws[:, 3]}
        ends = {name: np.quantile(of, [0.5, 0.025, 0.975]) for name, of in draws.items()}
        share = self.levels["demand"] / self.levels["demand"].sum()
        shop = {"unit": "all", "low": self.support[0], "high": self.support[1], "ix": (share * self.levels["ix"]).sum()}
        shop |= {name: self.levels[name].sum() for name in ("visits", "orders")} | {"demand": self.yearly_demand}
        rows = []
        for of in [shop, *self.levels.to_dict("records")]:
            for measure, (source, factor) in self.measures.items():
                effect, low, high = ends[source]
                row = {"unit": of["unit"], "measure": measure, "base": of[source] * factor, "effect": effect}
                row |= {"effect_low": low, "effect_high": high, "support_low": of["low"], "support_high": of["high"]}
                noise = of["variance"] if "variance" in of else (share**2 * self.levels["variance"]).sum()
                row |= {"visible": POWER_FACTOR * np.sqrt(2 * noise), "ix": of["ix"], "grade": self.grade}
                rows.append(row)
        return what_if(pd.DataFrame(rows), points).assign(year_1=lambda t: t["value"] * self.link.year_1())

    @property
    def measures(self) -> dict[str, tuple[str, float]]:
        """Measure: what it follows from, and the share of it that it is."""
        margin = self.net_share * self.margin_rate
        return {"visits": ("visits", 1.0), "orders": ("orders", 1.0), "demand": ("demand", 1.0)} | {
            "net_revenue": ("demand", self.net_share),
            "margin": ("demand", margin),
        }

    def in_money(self, line: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
        """Return what the experience of every week moved in demand, against the shop's usual experience.

        Parameters
        ----------
        line : DataFrame
            week, smooth (IX of the shop, smoothed), demand (a week).

        Returns
        -------
        DataFrame
            week, points (from the mean), amount, amount_low, amount_high: demand (1 - exp(-LR points)), the interval
            that of LR alone.
        """
        points = line["smooth"] - line["smooth"].mean()
        ends = np.quantile(self.draws[:, 3], [0.5, (1 - confidence) / 2, (1 + confidence) / 2])
        amounts = -np.expm1(-points.to_numpy()[:, None] * ends) * line["demand"].to_numpy()[:, None]
        found = pd.DataFrame({"week": line["week"], "points": points, "amount": amounts[:, 0]})
        return found.assign(amount_low=amounts.min(axis=1), amount_high=amounts.max(axis=1))

    def sentence(
        self, language: str = "en", rivals: pd.DataFrame | None = None, robustness: float | None = None
    ) -> str:
        """Return what a point is worth as one plain sentence, and what it does not say.

        Parameters
        ----------
        language : str
            en or de.
        rivals : DataFrame, optional
            `Checks.estimates`, to name the uncorrected and the split-half figure.
        robustness : float, optional
            Robustness value (0-1).
        """
        parts, german = self.parts(1.0).set_index("outcome"), language == "de"
        demand, year_1 = parts.loc["demand"], self.link.year_1()

        def pct(x: float, sign: bool = False) -> str:
            x = 0.0 if round(1000 * x) == 0 else x
            text = style.percent(x, language, 1)
            return f"+{text}" if sign and x > 0 else text

        reach = min(-self.support[0], self.support[1])
        whole = self.supports(1.0)
        amount = self.yearly_demand * self.parts(1.0 if whole else reach)["change"].iloc[-1]
        facts = {
            "demand": pct(demand["change"], True),
            "low": pct(demand["low"]),
            "high": pct(demand["high"]),
            "amount": style.compact(amount, self.currency, language),
            **{name: pct(parts.loc[name, "change"], True) for name in _PARTS},
            "year_1": style.percent(year_1, language),
            "grade": grade_words(self.grade, language),
            "moves": style.number(reach, language, 1 if reach >= 1 else 2),
        }
        facts["worth"] = _WORTH[whole][german].format(**facts)
        facts["first_year"] = _FIRST_YEAR[german].format(**facts) if np.isfinite(year_1) else ""
        text = _SENTENCE[language == "de"].format(**facts)
        extra = []
        if self.diversion:
            extra.append(_DIVERTED[language == "de"].format(share=style.percent(self.diversion, language)))
        if robustness is not None:
            extra.append(_ROBUST[language == "de"].format(rv=style.percent(robustness, language)))
        for method, words in _RIVALS.items():
            if rivals is not None and method in set(rivals["method"]):
                of = rivals[(rivals["method"] == method) & (rivals["outcome"] == "demand")]
                extra.append(words[language == "de"].format(x=style.percent(of["long_run"].iloc[0], language, 2)))
        if self.grade == "B":
            extra.append(_EXCLUSION[language == "de"])
        if abs(self.link.long_run()) > IMPLAUSIBLE:
            extra.append(_DEFECT[language == "de"])
        if not demand["low"] * demand["high"] > 0:
            extra.append(_NOTHING[language == "de"])
        return " ".join([text, *extra])

    def plot_curve(self, ax=None, language: str = "en"):
        """Draw what points are worth a year, pale where no number is given."""
        from waage.ix.plots import plot_what_if

        return plot_what_if(self.curve(), ax, currency=self.currency, language=language)

    def plot_parts(self, ax=None, language: str = "en"):
        """Draw how the effect on demand is made up of visits, conversion and basket."""
        from waage.ix.plots import plot_parts

        return plot_parts(self.parts(), ax, language=language)


def value_points(
    panel: Panel,
    fitted: Link,
    *,
    grade: str,
    net_share: float = 1.0,
    margin_rate: float = 1.0,
    diversion: float = 0.0,
    currency: str = "EUR",
    seed: int = 7,
) -> Value:
    """Prepare what points are worth, from the demand of the last 52 weeks and the moves that were seen.

    Parameters
    ----------
    panel : Panel
        On which `fitted` was estimated.
    fitted : Link
        The estimate to be said (corrected, or that of incidents).
    grade : str
        A to E.
    net_share, margin_rate, diversion : float
        Net revenue per demand; margin per net revenue; share of the effect taken from other units.
    currency : str
    seed : int

    Raises
    ------
    WaageError
        When shares do not lie between 0 and 1.
    """
    faults = [
        f"{name} {x} does not lie between 0 and 1"
        for name, x in (("net_share", net_share), ("margin_rate", margin_rate), ("diversion", diversion))
        if not 0 <= x <= 1
    ]
    if faults:
        raise WaageError(f"value_points: {'; '.join(faults)}")
    moves = panel.score - np.nanmean(panel.score, axis=1, keepdims=True)
    noise = np.nanmean(panel.variance, axis=1)
    total = np.nanvar(panel.score, axis=1)
    # Noise makes moves look larger than they were.
    moves = moves * np.sqrt(np.clip(1 - noise / np.maximum(total, 1e-12), 0.05, 1))[:, None]
    recent, year = max(13 // panel.block_weeks, 1), round(52 / panel.block_weeks)
    rows = []
    for g, unit in enumerate(panel.units):
        last = np.flatnonzero(np.isfinite(panel.score[g]))[-recent:]
        sold = np.isfinite(panel.demand[g]).nonzero()[0]
        newest = sold[sold >= len(panel.weeks) - year]
        if not newest.size:
            continue  # closed: there is nothing left that could rise
        # A unit that began within the year would have sold more in a whole one; what paused or closed would not.
        scale = year / min(len(panel.weeks) - sold[0], year)
        rows.append(
            {
                "unit": unit,
                "ix": float(panel.score[g, last].mean()) if last.size else np.nan,
                "variance": float(panel.variance[g, last].mean() / last.size) if last.size else np.nan,
                **{
                    name: float(np.nansum(getattr(panel, name)[g, newest]) * scale)
                    for name in ("visits", "orders", "demand")
                },
                "low": float(np.nanquantile(moves[g], 0.05)) if last.size else np.nan,
                "high": float(np.nanquantile(moves[g], 0.95)) if last.size else np.nan,
            }
        )
    levels = pd.DataFrame(rows)
    return Value(
        link=fitted,
        yearly_demand=float(levels["demand"].sum()),
        net_share=net_share,
        margin_rate=margin_rate,
        diversion=diversion,
        support=(float(np.nanquantile(moves, 0.05)), float(np.nanquantile(moves, 0.95))),
        levels=levels,
        grade=grade,
        currency=currency,
        seed=seed,
    )


def what_if(table: pd.DataFrame, points: float) -> pd.DataFrame:
    """Return what `points` more are worth a year, from rows of `ix_value`: base (exp(effect points) - 1).

    Parameters
    ----------
    table : DataFrame
        base, effect, effect_low, effect_high, support_low, support_high.
    points : float

    Returns
    -------
    DataFrame
        The rows with points, value, low, high, supported; NaN where no unit ever moved as far.
    """
    table = table.assign(points=float(points))
    table["supported"] = (points >= table["support_low"]) & (points <= table["support_high"])
    ends = {name: table["base"] * np.expm1(table[name] * points) for name in ("effect", "effect_low", "effect_high")}
    ends = pd.DataFrame(ends).where(table["supported"])
    return table.assign(value=ends["effect"], low=ends.min(axis=1), high=ends.max(axis=1))


def points_needed(table: pd.DataFrame, amount: float) -> pd.DataFrame:
    """Return the points that an amount a year takes, from rows of `ix_value`: log(1 + amount / base) / effect.

    Returns
    -------
    DataFrame
        The rows with amount, needed, needed_low, needed_high (infinite where the effect may be 0), supported, seen
        (whether the survey would see such a move).
    """
    wanted = np.log1p(amount / table["base"])

    def over(effect: pd.Series) -> pd.Series:
        return (wanted / effect.where(effect > 0)).fillna(np.inf)

    needed = over(table["effect"])
    table = table.assign(amount=float(amount), needed=needed)
    table["needed_low"], table["needed_high"] = over(table["effect_high"]), over(table["effect_low"])
    return table.assign(supported=needed <= table["support_high"], seen=needed >= table["visible"])


def move_between(table: pd.DataFrame, before: Sequence, after: Sequence, confidence: float = 0.95) -> pd.DataFrame:
    """Return how the IX moved between two spans of weeks, and whether it can be said to have moved.

    Parameters
    ----------
    table : DataFrame
        unit, week, ix, variance.
    before, after : two dates each
        First and last Monday of a span.

    Returns
    -------
    DataFrame
        One row a unit: unit, before, after, move, low, high, variance, moved (the interval leaves out 0).
    """
    week = pd.to_datetime(table["week"])
    spans = []
    for first, last in (before, after):
        rows = table[week.between(pd.Timestamp(first), pd.Timestamp(last))]
        by = rows.groupby("unit")
        spans.append((by["ix"].mean(), by["variance"].sum() / by.size() ** 2))
    frame = pd.DataFrame({"before": spans[0][0], "after": spans[1][0], "variance": spans[0][1] + spans[1][1]}).dropna()
    frame["move"] = frame["after"] - frame["before"]
    half = student.ppf((1 + confidence) / 2, 1e6) * np.sqrt(frame["variance"])
    frame["low"], frame["high"] = frame["move"] - half, frame["move"] + half
    frame["moved"] = frame["low"] * frame["high"] > 0
    return frame.reset_index()[["unit", "before", "after", "move", "low", "high", "variance", "moved"]]


_SENTENCE = (
    "+1 IX point = {demand} demand (95%: {low} to {high}){worth}, of it visits {visits}, conversion "
    "{conversion}, order value {basket}{first_year}. Evidence: {grade}. It holds for moves up to "
    "{moves} points, and between units: demand that they take from each other is not removed.",
    "+1 IX-Punkt = {demand} Nachfrage (95 %: {low} bis {high}){worth}, davon Besuche {visits}, Konversion "
    "{conversion}, Bestellwert {basket}{first_year}. Beleg: {grade}. Das gilt für Bewegungen bis "
    "{moves} Punkte und zwischen Einheiten: Nachfrage, die sie einander nehmen, ist nicht herausgerechnet.",
)
#: Whether units moved by a whole point: what stands behind the share.
_WORTH = {
    True: (" = {amount} a year", " = {amount} im Jahr"),
    False: (
        " (units seldom moved by a whole point; {moves} points are {amount} a year)",
        " (um einen ganzen Punkt bewegten sich Einheiten selten; {moves} Punkte sind {amount} im Jahr)",
    ),
}
_FIRST_YEAR = ("; in the first year {year_1} of it", "; im ersten Jahr {year_1} davon")
_DIVERTED = (
    "{share} of the effect was taken off as demand shifted between units.",
    "{share} der Wirkung wurden als zwischen Einheiten verschobene Nachfrage abgezogen.",
)
_EXCLUSION = (
    "That is so only if incidents act on demand through the experience alone.",
    "Das gilt nur, wenn Störungen allein über das Erlebnis auf die Nachfrage wirken.",
)
_ROBUST = (
    "An unseen factor would have to explain {rv} of what is left of both to take it away.",
    "Ein ungesehener Faktor müsste {rv} des Rests von beiden erklären, um es aufzuheben.",
)
_RIVALS = {
    "fe": ("Uncorrected for survey noise: {x}.", "Ohne Bereinigung um das Rauschen der Befragung: {x}."),
    "oriv": ("By split halves: {x}.", "Mit geteilten Hälften: {x}."),
}
_DEFECT = (
    "More than 2% per point is not plausible: treat it as a defect until shown otherwise.",
    "Mehr als 2 % je Punkt ist nicht plausibel: bis zum Beweis des Gegenteils als Fehler behandeln.",
)
_NOTHING = (
    "The interval includes 0: an effect is not shown.",
    "Das Intervall schließt 0 ein: eine Wirkung ist nicht gezeigt.",
)
