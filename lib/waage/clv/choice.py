"""Which model to use, and which forecast for what: shown as a table, said in a sentence."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from waage.clv.backtest import as_used
from waage.clv.calendar import Calendar
from waage.clv.purchases import PurchaseModel, fit_purchases
from waage.clv.spend import SpendModel, fit_spend
from waage.errors import Refusal, WaageError, did_you_mean
from waage.style import label, number

#: A difference below this is no reason to prefer one forecast for ranking; a judgement.
SAME_GINI = 0.005
_TEXTS = {
    "ranking": (
        "To rank customers use {name} (Gini {gini}{beside}); ",
        "Zum Reihen der Kunden: „{name}“ (Gini {gini}{beside}); ",
    ),
    "plain": (
        ", no better than {name} with {gini}",
        ", nicht besser als „{name}“ mit {gini}",
    ),
    "against": (", against {gini} of {name}", ", gegenüber {gini} bei „{name}“"),
    "total": (
        "for totals use {name}, which missed by {miss}% ({windows})",
        "für Summen: „{name}“, im Mittel {miss} % daneben ({windows})",
    ),
    "one": ("one test", "ein Test"),
    "many": ("{n} tests", "{n} Tests"),
    "inside": (", within chance.", ", im Rahmen des Zufalls."),
    "outside": (
        ": more than chance explains, so give totals with the wider interval.",
        ": mehr, als der Zufall erklärt; Summen nur mit dem weiteren Intervall nennen.",
    ),
    "rule": (".", "."),
}


def fit_models(
    histories: pd.DataFrame,
    kinds: Sequence[str] = ("mbg", "pareto", "bg"),
    time_unit: str = "days",
    calendars: Sequence[Calendar | None] = (None,),
) -> dict[str, PurchaseModel]:
    """Fit several purchase models, with and without a calendar; one without an optimum is left out.

    Raises
    ------
    WaageError
        When none can be fitted, or histories are broken: the first one's reason.
    """
    fitted, reason = {}, None
    for calendar in calendars:
        for kind in kinds:
            try:
                model = fit_purchases(histories, kind, time_unit, calendar=calendar)
            except WaageError as error:
                reason = reason or error
                continue
            fitted[model.name] = model
    if not fitted:
        raise reason or WaageError("kinds: none given; fit at least one")
    return fitted


def fit_money(customers: pd.DataFrame, day: date) -> SpendModel:
    """Fit the value of a purchase day, by class of frequency where the two are related and that has a mean, else plain.

    Parameters
    ----------
    customers : DataFrame
        As `fit_spend` takes them, as known on `day`.
    day : date

    Raises
    ------
    Refusal
        When neither has a mean: then no forecast of money exists, of the test or of the years to come.
    """
    spend = fit_spend(customers)
    if spend.problem and spend.classes:
        spend = fit_spend(customers, by_frequency=False)
    if spend.problem:
        raise Refusal(
            f"values of orders up to {day}: {spend.problem}; a few customers spend so much more than all others that "
            "no forecast of money holds: leave them out, or learn on a longer history (a lower holdout_weeks)"
        )
    return spend


def summaries(
    windows: Mapping[str, tuple[dict[str, PurchaseModel], SpendModel, pd.DataFrame]], time_unit: str
) -> pd.DataFrame:
    """Return the figures of all fitted models, plain Gamma-Gamma beside that by frequency class.

    Parameters
    ----------
    windows : mapping
        Name of a window to its purchase models, its spend model and the customers this was fitted on.
    time_unit : str

    Returns
    -------
    DataFrame
        window, time_unit, model, parameter, estimate, std_error, low, high.
    """
    parts = []
    for window, (models, spend, customers) in windows.items():
        fits = [*models.values(), spend, *([fit_spend(customers, by_frequency=False)] if spend.classes else [])]
        parts += [fit.summary.assign(window=window, time_unit=time_unit) for fit in fits]
    columns = ["window", "time_unit", "model", "parameter", "estimate", "std_error", "low", "high"]
    return pd.concat(parts, ignore_index=True)[columns]


def choose_model(models: Sequence[PurchaseModel], tested: pd.DataFrame) -> pd.DataFrame:
    """Rank fitted purchase models by their test and their likelihood.

    Parameters
    ----------
    models : sequence of PurchaseModel
        Fitted on the calibration window.
    tested : DataFrame
        As `backtest` or `rolling_backtest` return it.

    Returns
    -------
    DataFrame
        Best first: model, log_score, gini, rmse, bias_pct (means over windows), loglik, aic, bic (of models without a
        calendar: on the clock of the season the likelihood has another unit), chosen, reason. The order is by
        log_score; models that are no more than one standard error of the paired differences behind the best count as
        equal (Breiman et al. 1984, Classification and Regression Trees, section 3.4.3) and go by AIC, those with a
        calendar by that of the same model without; between these two the log_score decides. A BG/NBD is chosen only
        where it is the only one: it takes every one-time buyer for alive.
    """
    if not models:
        raise WaageError("models: none given; fit at least one")
    means = tested.groupby(["model", "metric"])["value"].mean().unstack()
    rows = []
    for model in models:
        if model.name not in means.index:
            raise WaageError(f"tested: no figures of {model.name}; test the models that are to be chosen from")
        figures = means.loc[model.name]
        fit = model.summary.set_index("parameter")["estimate"]
        own = [np.nan] * 3 if model.calendar is not None else [fit[name] for name in ("loglik", "aic", "bic")]
        rows.append((model.name, *(figures[name] for name in ("log_score", "gini", "rmse", "bias_pct")), *own))
    columns = ["model", "log_score", "gini", "rmse", "bias_pct", "loglik", "aic", "bic"]
    table = pd.DataFrame(rows, columns=columns)
    blind = table["model"].str.startswith("bg")
    blind &= not blind.all()
    gaps = tested[tested["metric"] == "score_gap"].set_index("model")
    behind = table["model"].map(gaps["value"].groupby("model").mean())
    squares = (((gaps["high"] - gaps["low"]) / (2 * 1.96)) ** 2).groupby("model")
    error = table["model"].map(np.sqrt(squares.sum()) / squares.size())
    table["_close"] = (behind - behind[~blind].min() <= error) & ~blind
    plain = table.set_index("model")["aic"]
    table["_aic"] = table["model"].str.removesuffix("_calendar").map(plain).fillna(np.inf)
    table["_blind"] = blind
    table = table.sort_values(
        ["_blind", "_close", "_aic", "log_score"], ascending=[True, False, True, False], ignore_index=True
    )
    # Beyond the close ones the score decides alone.
    far = table[~table["_close"]].sort_values(["_blind", "log_score"], ascending=[True, False])
    table = pd.concat([table[table["_close"]], far], ignore_index=True)
    table["chosen"] = table.index == 0
    closest = table["_close"].sum()
    first = "best log score in the test" if closest < 2 else "as good as others in the test, best AIC"
    table["reason"] = np.where(table["_blind"], "one-time buyers count as alive", "")
    table.loc[0, "reason"] = first
    return table.drop(columns=["_close", "_aic", "_blind"])


def pick_model(choice: pd.DataFrame, wanted: str = "auto") -> str:
    """Return the name of the chosen model, or of the one that is wanted.

    Raises
    ------
    WaageError
        When no such model was fitted and tested.
    """
    names = choice["model"].tolist()
    if wanted == "auto":
        return names[0]
    if wanted not in names:
        raise WaageError(
            f"model {wanted!r} was not fitted; use auto or one of {', '.join(names)}{did_you_mean(wanted, names)}"
        )
    return wanted


def verdict(tested: pd.DataFrame, language: str = "en", chosen: str = "") -> str:
    """Say in one sentence which forecast to rank customers by and which to take totals from.

    Parameters
    ----------
    tested : DataFrame
        As `backtest` and `rolling_backtest` return it, together. Figures are means over windows, each beside the same
        windows of the same rate, so that a forecast that was tested once is not helped by an easy window; errors of
        totals are the root mean square of forecasts that were tested in all windows.
    language : {"en", "de"}
    chosen : str
        The model that values customers: named for ranking, too, where no other ranks better by `SAME_GINI`.

    Raises
    ------
    Refusal
        When nobody bought in any test.
    """
    side = ("en", "de").index(language)
    tested = as_used(tested, *([chosen] if chosen else []))
    wide = tested.pivot(index=["window", "model"], columns="metric", values="value")
    gini = _fair_means(wide["gini"].unstack()).dropna()
    bias = wide["bias_pct"].unstack().dropna(how="all")
    miss = np.sqrt((bias**2).mean())[bias.notna().sum() == bias.notna().sum().max()].dropna()
    if gini.empty or miss.empty:
        raise Refusal("nobody bought in the test window: nothing can be said of the forecasts")
    models = tested.loc[tested["metric"] == "log_score", "model"].unique()
    plain = gini.drop(index=[*models, "zero"], errors="ignore")
    ranker = gini.drop(index="zero", errors="ignore").idxmax()
    own = gini[gini.index.isin(models)]
    if len(own) and own.max() >= gini[ranker] - SAME_GINI:
        ranker = chosen if own.get(chosen, -np.inf) >= own.max() - SAME_GINI else own.idxmax()
    beside = ""
    if len(plain) and ranker not in plain.index:
        rival = plain.idxmax()
        key = "plain" if plain[rival] >= gini[ranker] - SAME_GINI else "against"
        beside = _TEXTS[key][side].format(name=label(rival, language), gini=number(plain[rival], language, 3))
    counter = miss.idxmin()
    windows = int(bias[counter].notna().sum())
    told = _TEXTS["one"][side] if windows == 1 else _TEXTS["many"][side].format(n=windows)
    bias = tested[(tested["model"] == counter) & (tested["metric"] == "bias_pct")]
    if bias["low"].isna().all():
        ending = "rule"
    else:
        ending = "inside" if ((bias["low"] <= 0) & (bias["high"] >= 0)).all() else "outside"
    return (
        _TEXTS["ranking"][side].format(
            name=label(ranker, language), gini=number(gini[ranker], language, 3), beside=beside
        )
        + _TEXTS["total"][side].format(
            name=label(counter, language), miss=number(miss[counter], language, 1), windows=told
        )
        + _TEXTS[ending][side]
    )


def _fair_means(figures: pd.DataFrame) -> pd.Series:
    """Means over windows (rows), of forecasts that were not in all of them as if they had been."""
    if "same_rate" not in figures:
        return figures.mean()
    return figures.sub(figures["same_rate"], axis=0).mean() + figures["same_rate"].mean()
