"""What speaks for and against the link: every check with statistic, verdict and sentence, and the evidence grade."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import f as fisher
from scipy.stats import false_discovery_control, norm
from scipy.stats import t as student

from waage import style
from waage.errors import Refusal, WaageError
from waage.ix.link import Link, control_columns, lag_names, link, panel_moments
from waage.ix.moments import jackknife, jackknife_covariance, score_test, shifted
from waage.ix.panel import OUTCOMES, Panel
from waage.ix.rivals import IncidentIV, ShopSeries, estimators, incident_iv, negative_outcome, shop_series
from waage.ix.robustness import Robustness, robustness
from waage.ix.sentences import CHECKS, GRADES

PASSED, FAILED, OPEN, NOTE = "passed", "failed", "open", "note"

#: p below which a check fails. The lead test is the one announced beforehand; of the others there are many.
LEAD_ALPHA, OTHER_ALPHA = 0.05, 0.01

#: The same for kinds of incidents that disagree: incidents are to carry a claim of their own.
KINDS_ALPHA = 0.05

#: Share of the squared standard error that one unit may account for before the estimate is said to hang on it.
ONE_UNIT = 0.5

#: Describes, and says nothing for or against the effect.
_UNCOUNTED = ("forecast",)

_D = OUTCOMES.index("demand")


@dataclass(frozen=True)
class Checks:
    """All checks, and the grade they lead to.

    Attributes
    ----------
    table : DataFrame
        One row a check: check, statistic, p_value, verdict (passed, failed, open, note), sentence, sentence_de.
    estimates : DataFrame
        All methods side by side, columns as `Link.summary`, with grade.
    grade : str
        A to E, of the corrected estimate.
    headline : str
        Method whose estimate is to be said: eiv, or incident_iv where incidents contradict it.
    headline_grade : str
    sweeps : DataFrame
        sweep (lags, controls, units), version, long_run, low, high of demand.
    splits : DataFrame
        split, group, units, long_run, low, high, shrunk, q_value; empty without groups.
    robustness : Robustness
    incidents : IncidentIV or None
    shop : ShopSeries or None
    """

    table: pd.DataFrame
    estimates: pd.DataFrame
    grade: str
    headline: str
    headline_grade: str
    sweeps: pd.DataFrame
    splits: pd.DataFrame
    robustness: Robustness
    incidents: IncidentIV | None
    shop: ShopSeries | None

    @property
    def summary(self) -> pd.DataFrame:
        """check, statistic, verdict, sentence: what `ix_checks` holds."""
        return self.table[["check", "statistic", "verdict", "sentence"]]

    def words(self, language: str = "en") -> str:
        """Return the grade of the headline in words."""
        return grade_words(self.headline_grade, language)

    @property
    def ranked(self) -> pd.DataFrame:
        """The table, what matters most first: failed, then open, then passed, then notes."""
        rank = self.table["verdict"].map({FAILED: 0, OPEN: 1, PASSED: 2, NOTE: 3})
        return self.table.iloc[np.argsort(rank.to_numpy(), kind="stable")].reset_index(drop=True)

    def first_page(self, count: int = 5, language: str = "en") -> list[str]:
        """Return the sentences of the checks that matter most."""
        return list(self.ranked.head(count)["sentence_de" if language == "de" else "sentence"])

    def plot_board(self, ax=None, language: str = "en"):
        """Draw all checks as a board."""
        from waage.ix.plots import plot_checks

        return plot_checks(self.ranked, ax, language=language)

    def plot_estimates(self, ax=None, language: str = "en"):
        """Draw all estimates of the long run on demand side by side."""
        from waage.ix.plots import plot_estimates

        return plot_estimates(self.estimates, ax, language=language)


def grade_words(grade: str, language: str = "en") -> str:
    """Return a grade in words: experiment, incident evidence, panel, ... correlation only."""
    if grade not in GRADES:
        raise WaageError(f"grade {grade!r} is none of {', '.join(GRADES)}")
    return GRADES[grade][language == "de"]


def run_checks(
    panel: Panel,
    fitted: Link,
    *,
    groups: Mapping[str, Mapping[str, str]] | None = None,
    longer: Sequence[int] | None = None,
    holdout_weeks: int = 26,
    shop: bool = True,
    incidents_touch_demand: Sequence[str] = (),
) -> Checks:
    """Run every check the panel allows, and grade the evidence.

    Parameters
    ----------
    panel : Panel
        On which `fitted` was estimated.
    fitted : Link
        The corrected link.
    groups : mapping of str to mapping of unit to group, optional
        Splits, such as {"device": {"women_app": "app", ...}}; groups of 4 units or more are estimated alone.
    longer : sequence of int, optional
        Lag windows to sweep over, in periods.
    holdout_weeks : int
        Newest weeks that are forecast without having been seen.
    shop : bool
        Whether to look at the shop's one series, too (a second or two).
    incidents_touch_demand : sequence of str
        Kinds of incidents that keep customers from buying by other ways than the experience; not instruments.

    Returns
    -------
    Checks

    References
    ----------
    Cinelli and Hazlett (2020), Making sense of sensitivity, JRSS B 82; Clark and West (2007), Approximately normal
    tests for equal predictive accuracy in nested models, Journal of Econometrics 138; Benjamini and Hochberg (1995).
    """
    if incidents_touch_demand and panel.exposure is not None:
        kept = [j for j, kind in enumerate(panel.kinds) if kind not in set(incidents_touch_demand)]
        kinds = tuple(panel.kinds[j] for j in kept)
        panel = replace(panel, exposure=panel.exposure[:, :, kept], kinds=kinds)
    estimates, incidents, halves = estimators(panel, fitted)
    lags, base = fitted.lags, fitted.long_runs[:, _D]
    used = control_columns(panel)
    rows = [
        _made("lead", _lead, panel, fitted, used),
        _made("same_week", _same_week, panel, fitted, used),
        _made("incidents", _incidents, panel, fitted, incidents),
        *_kinds(panel, fitted, incidents),
        _made("feedback", _feedback, panel, fitted, used),
        _made("stability", _halves, panel, fitted),
        _one_unit(fitted),
    ]
    windows, runs = longer or _windows(lags), []

    def compared_windows() -> dict:
        runs.extend(_window_runs(panel, fitted, windows))
        return _lag_sweep_row(_sweep("lags", runs, fitted.confidence), runs, fitted, windows)

    rows.append(_made("lag_window", compared_windows))
    sweeps = [_sweep("lags", runs, fitted.confidence), _sweep_controls(panel, fitted), _sweep_units(panel, fitted)]
    rows.append(_control_sweep_row(sweeps[1], fitted))
    if halves is not None:
        difference = base - halves.long_runs[:, _D]
        rows.append(_difference("split_half", difference, fitted.df, other=halves.long_run()))
    fe = float(estimates.loc[(estimates["method"] == "fe") & (estimates["outcome"] == "demand"), "long_run"].iloc[0])
    rows.append(_row("uncorrected", fe / base[0] if base[0] else np.nan, None, NOTE, fe=fe, eiv=base[0]))
    negative = negative_outcome(panel, fitted)
    if negative is not None:
        verdict = FAILED if negative[2] < OTHER_ALPHA else PASSED
        rows.append(_row("negative_outcome", negative[0] / negative[1], negative[2], verdict, effect=negative[0]))
    robust = robustness(panel, fitted)
    rows.append(_robustness_row(robust, fitted))
    rows.append(_forecast(panel, fitted, used, max(holdout_weeks // panel.block_weeks, 4)))
    splits = _splits(panel, fitted, groups or {})
    if len(splits):
        least = splits["q_value"].min()
        rows.append(_row("splits", float(least), float(least), FAILED if least < 0.05 else PASSED, groups=len(splits)))
    series = None
    if shop:
        try:
            series = shop_series(panel, fitted)
            apart = series.difference_z > norm.ppf(0.975)
            low, high = series.interval
            facts = {"shop": series.effect, "low": low, "high": high, "eiv": base[0], "share": series.ratio}
            name, verdict = ("scope_apart", OPEN) if apart else ("scope", NOTE)
            rows.append(_row(name, series.ratio, None, verdict, **facts))
            row = {"method": "shop_series", "outcome": "demand", "long_run": series.effect, "low": low, "high": high}
            estimates = pd.concat([estimates, pd.DataFrame([row | {"std_error": series.std_error}])], ignore_index=True)
        except Refusal:
            pass
    table = pd.DataFrame(rows)
    verdicts = table.set_index("check")["verdict"]
    grade = _grade(verdicts)
    iv_grade = None
    if incidents is not None:
        low, high = incidents.link.interval()
        sharp = incidents.strong and high - low < 2 * max(abs(low + high) / 2, 1e-12)
        iv_grade = "B" if sharp and _exclusion_stands(verdicts) else "D"
    grades = {"eiv": grade, "oriv": grade, "incident_iv": iv_grade, "pooled": "E"}
    estimates["grade"] = estimates["method"].map(grades)
    # Only what incidents can repair hands the headline to them.
    contradicted = FAILED in (verdicts["incidents"], verdicts["same_week"], verdicts["lead"], verdicts["feedback"])
    headline = "incident_iv" if contradicted and iv_grade == "B" else "eiv"
    return Checks(
        table=table,
        estimates=estimates,
        grade=grade,
        headline=headline,
        headline_grade=grades[headline],
        sweeps=pd.concat(sweeps, ignore_index=True),
        splits=splits,
        robustness=robust,
        incidents=incidents,
        shop=series,
    )


def clark_west(actual: np.ndarray, small: np.ndarray, large: np.ndarray) -> tuple[float, float]:
    """Return z and one-sided p of the larger model's forecasts being better, for nested models.

    f = (y - small)^2 - [(y - large)^2 - (small - large)^2], averaged over units first; z = mean(f) / se over periods.

    Parameters
    ----------
    actual, small, large : array, shape (units, periods)
        NaN where there is no forecast.

    References
    ----------
    Clark and West (2007), equation 3.2.
    """
    gain = (actual - small) ** 2 - ((actual - large) ** 2 - (small - large) ** 2)
    by_period = np.nanmean(gain, axis=0)
    z = float(by_period.mean() / (by_period.std(ddof=1) / np.sqrt(len(by_period))))
    return z, float(norm.sf(z))


# The checks, one function each --------------------------------------------------------------------------------


def _made(check: str, make: Callable[..., dict], *arguments) -> dict:
    """Return the row of a check; where these data do not carry the check itself, it stays open with the reason."""
    try:
        return make(*arguments)
    except (Refusal, WaageError, np.linalg.LinAlgError) as fault:
        texts = ("{}: this could not be checked: {}", "{}: Das ließ sich nicht prüfen: {}")
        row = {"check": check, "statistic": np.nan, "p_value": np.nan, "verdict": OPEN}
        for column, language, text in zip(("sentence", "sentence_de"), ("en", "de"), texts, strict=True):
            row[column] = text.format(style.title(check, language), fault)
        return row


def _lead(panel: Panel, fitted: Link, used: list[str]) -> dict:
    """Next week's score must not explain this week's demand; its noise is taken out like that of the others."""
    offsets = [*range(fitted.lags + 1), -1]
    moments = panel_moments(panel, offsets, used)
    names = lag_names(offsets)
    found = moments.coefficients([*names, *used], ["y_demand"])[0, len(names) - 1, 0]
    t, p = score_test(moments, names[-1], [*names[:-1], *used], "y_demand")
    return _row("lead", t, p, FAILED if p < LEAD_ALPHA else PASSED, effect=found)


def _same_week(panel: Panel, fitted: Link, used: list[str]) -> dict:
    """Without the same week the effect must not become larger: it would if busy weeks wore the experience down."""
    offsets = range(1, max(fitted.lags, 1) + 1)
    moments = panel_moments(panel, offsets, used, need=[0])
    found = moments.coefficients([*lag_names(offsets), *used], ["y_demand"])[:, : len(offsets), 0].sum(axis=1)
    difference = found - fitted.long_runs[:, _D]
    error = float(jackknife(difference))
    sign = np.sign(found[0]) or 1.0
    t = float(sign * difference[0] / error)
    p = float(student.sf(t, fitted.df))
    return _row("same_week", t, p, FAILED if p < OTHER_ALPHA else PASSED, without=found[0], eiv=fitted.long_run())


def _incidents(panel: Panel, fitted: Link, incidents: IncidentIV | None) -> dict:
    """Panel and incidents must agree, and closely enough for a bias of half the effect to have been noticed.

    Noticed four times in five: an interval of just half the effect would notice it every other time. Both are compared
    with delays that decline in a straight line: with a coefficient for every delay the test's standard error is a
    sixth larger (demo).
    """
    if incidents is None:
        incident_iv(panel, lags=fitted.lags)  # says why not, where there are incidents
        return _row("incidents", np.nan, None, OPEN, "none")
    plain = link(panel, lags=fitted.lags, basis="decline").long_runs[:, _D]
    difference = plain - incident_iv(panel, lags=fitted.lags, basis="decline").link.long_runs[:, _D]
    error = float(jackknife(difference))
    t = float(difference[0] / error)
    p = float(2 * student.sf(abs(t), fitted.df))
    noticed = (student.ppf(0.975, fitted.df) + student.ppf(0.8, fitted.df)) * error
    facts = {"eiv": fitted.long_run(), "iv": incidents.link.long_run()}
    if not incidents.strong:
        return _row("incidents", t, p, OPEN, "weak", **facts, f=incidents.strength)
    if p < 0.05:
        return _row("incidents", t, p, FAILED, **facts)
    if noticed > 0.5 * abs(fitted.long_run()):
        return _row("incidents", t, p, OPEN, "wide", **facts)
    return _row("incidents", t, p, PASSED, **facts)


def _kinds(panel: Panel, fitted: Link, incidents: IncidentIV | None) -> list[dict]:
    """Kinds of incidents must agree: one that also keeps customers from buying directly says another effect.

    The test of over-identifying restrictions, kind by kind: each that is strong alone gives the long run alone, and
    their differences are tested together with the jackknife's covariance.
    """
    if incidents is None:
        return []
    alone = []
    for k, kind in enumerate(panel.kinds):
        try:
            one = incident_iv(
                replace(panel, exposure=panel.exposure[:, :, [k]], kinds=(kind,)), lags=fitted.lags, basis="decline"
            )
        except WaageError:
            continue
        if one is not None and one.strong:
            alone.append(one.link.long_runs[:, _D])
    if len(alone) < 2:
        return [_row("kinds", np.nan, None, NOTE, "one")]
    alone = np.column_stack(alone)
    apart = alone[:, 1:] - alone[:, [0]]
    count = apart.shape[1]
    f = float(apart[0] @ np.linalg.pinv(jackknife_covariance(apart), hermitian=True) @ apart[0] / count)
    # Hotelling: the covariance is known from as many units only.
    df = max(fitted.units - count, 1)
    f *= df / (fitted.units - 1)
    p = float(fisher.sf(f, count, df))
    facts = {"low": alone[0].min(), "high": alone[0].max(), "groups": alone.shape[1]}
    return [_row("kinds", f, p, FAILED if p < KINDS_ALPHA else PASSED, **facts)]


def _feedback(panel: Panel, fitted: Link, used: list[str]) -> dict:
    """Last week's demand must not explain this week's score, once the score's own past is known."""
    back = range(1, fitted.lags + 2)
    earlier = np.full(panel.demand.shape, np.nan)
    earlier[:, 1:] = np.log(panel.demand[:, :-1])
    # What moved both last week, such as a promotion, must be known of last week, too.
    past = {f"past_{name}": shifted(panel.controls[:, :, k], 1) for k, name in enumerate(panel.control_names)}
    moments = panel_moments(panel, [0, *back], used, {"earlier": earlier, **past})
    names = [*lag_names(back), *used, *past]
    found = moments.coefficients(["earlier", *names], ["lag_0"])[0, 0, 0]
    t, p = score_test(moments, "earlier", names, "lag_0")
    return _row("feedback", t, p, FAILED if p < OTHER_ALPHA else PASSED, points=found / 100)


def _halves(panel: Panel, fitted: Link) -> dict:
    """The effect of the first and of the second half of the window must agree."""
    middle = len(panel.weeks) // 2
    try:
        parts = [link(panel.between(*ends), lags=fitted.lags) for ends in ((0, middle), (middle, len(panel.weeks)))]
    except (Refusal, WaageError):
        return _row("stability", np.nan, None, OPEN, "short")
    if min(part.conditioning for part in parts) < 0.02 or min(part.reliability for part in parts) < 0.2:
        return _row("stability", np.nan, None, OPEN, "short")
    difference = parts[1].long_runs[:, _D] - parts[0].long_runs[:, _D]
    return _difference("stability", difference, fitted.df, first=parts[0].long_run(), second=parts[1].long_run())


def _one_unit(fitted: Link) -> dict:
    without = fitted.long_runs[1:, _D]
    left = (without - without.mean()) ** 2
    share = float(left.max() / left.sum())
    verdict = FAILED if share > ONE_UNIT and fitted.units >= 12 else PASSED
    return _row("one_unit", share, None, verdict, low=without.min(), high=without.max())


def _windows(lags: int) -> list[int]:
    return [1, 2, lags, lags + 2] if lags > 2 else [lags, lags + 1]


def _window_runs(panel: Panel, fitted: Link, windows: Sequence[int]) -> list[tuple[str, np.ndarray, int]]:
    """Return (version, long runs (1 + G,), units) on the rows of the longest window, so that they compare."""
    longest, used = max(windows), control_columns(panel)
    moments = panel_moments(panel, range(longest + 1), used)
    runs = []
    for window in windows:
        found = moments.coefficients([*lag_names(range(window + 1)), *used], ["y_demand"])
        runs.append((str(window), found[:, : window + 1, 0].sum(axis=1), moments.units))
    tail = 12 // panel.block_weeks
    if len(panel.weeks) > 3 * tail and tail > longest:
        try:
            almon = link(panel, lags=tail, basis="almon")
        except (Refusal, WaageError):
            return runs
        runs.append((f"almon_{tail}", almon.long_runs[:, _D], almon.units))
    return runs


def _lag_sweep_row(sweep: pd.DataFrame, runs: list, fitted: Link, windows: Sequence[int]) -> dict:
    runs = {version: found for version, found, _ in runs}
    base, longest = runs[str(fitted.lags)] if str(fitted.lags) in runs else fitted.long_runs[:, _D], str(max(windows))
    difference = runs[longest] - base
    t = float(difference[0] / jackknife(difference)) if longest != str(fitted.lags) else 0.0
    p = float(2 * student.sf(abs(t), fitted.df))
    verdict = FAILED if p < OTHER_ALPHA else PASSED
    # The interval of the verdict: one at 95 % could leave out 0 beside the words that it may be chance.
    half = student.ppf(1 - OTHER_ALPHA / 2, fitted.df) * float(jackknife(difference))
    facts = {"low": sweep["long_run"].min(), "high": sweep["long_run"].max(), "change": difference[0]}
    facts |= {"from_": difference[0] - half, "to": difference[0] + half}
    return _row("lag_window", t, p, verdict, **facts)


def _sweep_controls(panel: Panel, fitted: Link) -> pd.DataFrame:
    names = list(panel.control_names)
    moments = panel_moments(panel, range(fitted.lags + 1), control_columns(panel))
    x, runs = lag_names(range(fitted.lags + 1)), []
    sets = {"all": names, "none": []} | {f"without_{name}": [n for n in names if n != name] for name in names}
    for version, kept in sets.items():
        if version != "all" and not names:
            continue
        found = moments.coefficients([*x, *(f"z_{name}" for name in kept)], ["y_demand"])
        runs.append((version, found[:, : len(x), 0].sum(axis=1), moments.units))
    return _sweep("controls", runs, fitted.confidence)


def _control_sweep_row(sweep: pd.DataFrame, fitted: Link) -> dict:
    low, high = sweep["long_run"].min(), sweep["long_run"].max()
    moved = float(np.abs(sweep["long_run"] - fitted.long_run()).max() / fitted.std_error())
    return _row("controls", moved, None, NOTE, low=low, high=high)


def _sweep_units(panel: Panel, fitted: Link) -> pd.DataFrame:
    without = fitted.long_runs[1:, _D]
    table = pd.DataFrame({"sweep": "units", "version": panel.units, "long_run": without})
    return table.assign(low=np.nan, high=np.nan)


def _sweep(name: str, runs: list[tuple[str, np.ndarray, int]], confidence: float) -> pd.DataFrame:
    rows = []
    for version, found, units in runs:
        half = student.ppf((1 + confidence) / 2, units - 1) * jackknife(found)
        rows.append((name, version, found[0], found[0] - half, found[0] + half))
    return pd.DataFrame(rows, columns=["sweep", "version", "long_run", "low", "high"])


def _robustness_row(robust: Robustness, fitted: Link) -> dict:
    if not len(robust.benchmarks):
        return _row("hidden_factor", robust.value, None, NOTE, "bare", rv=robust.value)
    unbounded = robust.benchmarks["adjusted"].isna()
    if unbounded.any():
        strong = robust.benchmarks.loc[unbounded.idxmax(), "control"]
        return _row("hidden_factor", robust.value, None, FAILED, "unbounded", rv=robust.value, control=strong)
    kept = robust.benchmarks["adjusted"] * np.sign(fitted.long_run())
    worst = robust.benchmarks.loc[kept.idxmin()]
    verdict = FAILED if not kept.min() > 0 else PASSED
    return _row(
        "hidden_factor", robust.value, None, verdict, rv=robust.value, control=worst["control"], left=worst["adjusted"]
    )


def _forecast(panel: Panel, fitted: Link, used: list[str], holdout: int) -> dict:
    """Forecast the newest periods with and without the score, from coefficients of the earlier ones."""
    last = len(panel.weeks) - holdout
    x = lag_names(range(fitted.lags + 1))
    try:
        moments = panel_moments(panel.between(0, last), range(fitted.lags + 1), used)
    except Refusal:
        return _row("forecast", np.nan, None, OPEN, "short")
    # What forecasts best from a noisy score is the uncorrected coefficient.
    with_ix = moments.coefficients([*x, *used], ["y_demand"], correct=False)[0, :, 0]
    without = np.zeros_like(with_ix)
    if used:
        without[len(x) :] = moments.coefficients(used, ["y_demand"], correct=False)[0, :, 0]
    whole = _rows_and_columns(panel, fitted.lags, used)
    columns, y, rows = whole
    trained, fresh = rows.copy(), rows.copy()
    trained[:, last:] = False
    fresh[:, :last] = False
    if fresh.sum() < 2 * holdout:
        return _row("forecast", np.nan, None, OPEN, "short")

    def left(coefficients: np.ndarray) -> np.ndarray:
        """Return errors free of unit means of the training time and of week means among units."""
        error = y - columns @ coefficients
        level = np.nansum(np.where(trained, error, 0), axis=1) / np.maximum(trained.sum(axis=1), 1)
        error = np.where(fresh, error - level[:, None], np.nan)[:, fresh.any(axis=0)]
        return error - np.nanmean(error, axis=0)

    small, large = left(without), left(with_ix)
    zero = np.zeros_like(small)
    # Errors as outcomes: the forecasts differ by small - large.
    z, p = clark_west(small, zero, small - large)
    gain = 1 - np.sqrt(np.nanmean(large**2) / np.nanmean(small**2))
    return _row("forecast", z, p, NOTE, gain=gain)


def _rows_and_columns(panel: Panel, lags: int, used: list[str]):
    columns = [shifted(panel.score, o) for o in range(lags + 1)]
    columns += [panel.controls[:, :, panel.control_names.index(name.removeprefix("z_"))] for name in used]
    columns = np.stack(columns, axis=2)
    y = panel.outcomes[:, :, _D]
    rows = np.isfinite(columns).all(axis=2) & np.isfinite(y)
    return np.nan_to_num(columns), np.nan_to_num(y), rows


def _splits(panel: Panel, fitted: Link, groups: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Estimate groups of units alone; shrink them to the pooled effect, and correct for their number."""
    rows = []
    for split, of in groups.items():
        labels = np.array([of.get(unit, "") for unit in panel.units])
        for group in sorted(set(labels) - {""}):
            places = np.flatnonzero(labels == group)
            if len(places) < 4 or len(places) == len(labels):
                continue
            try:
                part = link(panel.select(places), lags=fitted.lags)
            except (Refusal, WaageError):
                continue
            if part.conditioning < 0.02:
                continue
            rows.append((split, group, len(places), part.long_run(), *part.interval(), part.std_error()))
    table = pd.DataFrame(rows, columns=["split", "group", "units", "long_run", "low", "high", "std_error"])
    if not len(table):
        return table.assign(shrunk=[], q_value=[])
    error = np.maximum(table["std_error"], 1e-12)
    # A group is part of the whole: the difference's variance is smaller than the sum, which is the cautious one.
    p = 2 * student.sf(
        np.abs(table["long_run"] - fitted.long_run()) / np.hypot(error, fitted.std_error()), table["units"] - 1
    )
    between = max(float(((table["long_run"] - fitted.long_run()) ** 2 - error**2).mean()), 0.0)
    weight = between / (between + error**2)
    shrunk = fitted.long_run() + weight * (table["long_run"] - fitted.long_run())
    return table.assign(shrunk=shrunk, q_value=false_discovery_control(p))


# Verdicts and sentences --------------------------------------------------------------------------------


def _difference(check: str, difference: np.ndarray, df: int, **facts: float) -> dict:
    t = float(difference[0] / jackknife(difference))
    p = float(2 * student.sf(abs(t), df))
    return _row(check, t, p, FAILED if p < OTHER_ALPHA else PASSED, **facts)


def _row(check: str, statistic: float, p: float | None, verdict: str, version: str | None = None, **facts) -> dict:
    key = "scope" if check == "scope_apart" else check
    texts = CHECKS[check]
    pair = texts.get(version or verdict) or texts[next(iter(texts))]
    row = {"check": key, "statistic": float(statistic), "p_value": np.nan if p is None else p, "verdict": verdict}
    for column, language, text in (("sentence", "en", pair[0]), ("sentence_de", "de", pair[1])):
        shown = {name: _shown(name, value, language) for name, value in facts.items()}
        row[column] = text.format(**shown)
    return row


def _shown(name: str, value, language: str) -> str:
    if isinstance(value, str):
        return style.label(value, language)
    if name in ("f", "groups"):
        return style.number(value, language, 0)
    if name == "share":
        return style.percent(value, language)
    if name in ("rv", "gain"):
        return style.percent(value, language, 1)
    if name == "points":
        return style.number(value, language, 2)
    return style.percent(value, language, 2)


def _grade(verdicts: pd.Series) -> str:
    """Return C where every check that counts could be made and passed, else D."""
    counted = verdicts.drop(list(_UNCOUNTED), errors="ignore")
    return "D" if counted.isin([FAILED, OPEN]).any() or verdicts["incidents"] != PASSED else "C"


def _exclusion_stands(verdicts: pd.Series) -> bool:
    """Return whether incidents may be read as acting through the experience alone, as far as data can say.

    Kinds that agree are needed: with one kind nothing tells its own effect from that of the experience.
    """
    others = verdicts.reindex(["negative_outcome", "splits", "scope"])
    return verdicts.get("kinds") == PASSED and not others.isin([FAILED, OPEN]).any()
