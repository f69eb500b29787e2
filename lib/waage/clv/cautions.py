"""What a reader must know before trusting a forecast of customer value, as sentences computed from the results."""

import numpy as np
import pandas as pd

from waage.clv.purchases import PurchaseModel
from waage.clv.spend import RELATED, SpendModel
from waage.clv.totals import count_text
from waage.style import number, percent

LOW_COVERAGE = 0.75  # of nominal 80 % sets of counts; a judgement
_TEXTS = {
    "missed": (
        "In the test the forecast missed the number of purchases in {days} days by {bias}%, more than chance explains: "
        "the history has trends or seasons that the model does not know.",
        "Im Test lag die Prognose der Kauftage in {days} Tagen um {bias} % daneben, mehr als der Zufall erklärt: Die "
        "Historie hat Trends oder Saisons, die das Modell nicht kennt.",
    ),
    "silent": (
        "Nobody bought in the {days} days of the test: it cannot tell how good the forecasts are.",
        "In den {days} Tagen des Tests hat niemand gekauft: Wie gut die Prognosen sind, kann er nicht sagen.",
    ),
    "narrow": (
        "Intervals of single customers are too narrow: 80% intervals held {coverage}.",
        "Die Intervalle einzelner Kunden sind zu eng: 80-%-Intervalle trafen {coverage}.",
    ),
    "loose": (
        "How differently customers leave ({names}) is weakly known from this history, see the models: forecasts of "
        "years rest on it.",
        "Wie verschieden Kunden verloren gehen ({names}), ist aus dieser Historie schwach bestimmt, siehe Modelle: "
        "Prognosen über Jahre hängen daran.",
    ),
    "loose_rate": (
        "How differently often customers buy ({names}) is weakly known from this history, see the models.",
        "Wie verschieden oft Kunden kaufen ({names}), ist aus dieser Historie schwach bestimmt, siehe Modelle.",
    ),
    "all_or_nothing": (
        "Drop-out is all or nothing (a + b = {sum} is below 1): forecasts for one-time buyers rest on the few who came "
        "back.",
        "Abwanderung ist alles oder nichts (a + b = {sum} liegt unter 1): Prognosen für Einmalkäufer ruhen auf den "
        "wenigen, die wiederkamen.",
    ),
    "related": (
        "How often customers buy and how much they spend are related (Spearman {rho}, {low} to {high}); the spend "
        "model assumes they are not.",
        "Kaufhäufigkeit und Bestellwert hängen zusammen (Spearman {rho}, {low} bis {high}); das Modell der "
        "Bestellwerte nimmt an, sie täten es nicht.",
    ),
    "by_class": (
        "How often customers buy and how much they spend are related (Spearman {rho}, {low} to {high}); order values "
        "are therefore estimated by class of frequency.",
        "Kaufhäufigkeit und Bestellwert hängen zusammen (Spearman {rho}, {low} bis {high}); Bestellwerte werden daher "
        "je Klasse der Häufigkeit geschätzt.",
    ),
    "negative": (
        "{n} customers' repeat purchases net to less than nothing; they count as worth nothing.",
        "Bei {n} Kunden bleibt von den Wiederkäufen weniger als nichts; sie zählen als wertlos.",
    ),
    "gross": (
        "Order values include VAT, so the margin on them is too high by the VAT.",
        "Bestellwerte enthalten die Mehrwertsteuer, die Marge darauf ist um diese zu hoch.",
    ),
}


def within_chance(backtest: pd.DataFrame, model: str) -> bool:
    """Return whether the model's 95 % interval of the total in the test covers what happened.

    Where nobody bought there is no relative error that could lie outside of it.
    """
    bias = backtest[(backtest["model"] == model) & (backtest["metric"] == "bias_pct")].iloc[0]
    return bool(pd.isna(bias["value"]) or bias["low"] <= 0 <= bias["high"])


def cautions(
    backtest: pd.DataFrame,
    model: PurchaseModel,
    spend: SpendModel,
    *,
    holdout_days: int,
    gross: bool,
    language: str = "en",
    min_cell: int = 0,
) -> list[str]:
    """Return warnings about a valuation, most serious first; an empty list where there is none.

    Parameters
    ----------
    backtest : DataFrame
        As `waage.clv.backtest` returns it.
    model, spend : PurchaseModel, SpendModel
        Those that value the customers.
    holdout_days : int
        Length of the test.
    gross : bool
        Whether order values include VAT.
    language : {"en", "de"}
    min_cell : int
        Fewer customers than this are not counted out.
    """
    side = ("en", "de").index(language)
    tested = backtest[backtest["model"] == model.name].set_index("metric")
    found = []
    bias = tested.loc["bias_pct", "value"]
    if not np.isfinite(bias):
        found.append(_TEXTS["silent"][side].format(days=holdout_days))
    elif not within_chance(backtest, model.name):
        text = ("+" if bias > 0 else "") + number(bias, language)
        found.append(_TEXTS["missed"][side].format(days=holdout_days, bias=text))
    coverage = tested.loc["coverage_80", "value"]
    if coverage < LOW_COVERAGE:
        found.append(_TEXTS["narrow"][side].format(coverage=percent(coverage, language)))
    weak = _weak(model)
    for key, names in (("loose", ("a", "b", "s", "beta")), ("loose_rate", ("r", "alpha"))):
        if mine := [name for name in weak if name in names]:
            found.append(_TEXTS[key][side].format(names=", ".join(mine)))
    if model.caution:
        total = number(model.params["a"] + model.params["b"], language, 2)
        found.append(_TEXTS["all_or_nothing"][side].format(sum=total))
    link = spend.independence
    if link["low"] > RELATED or link["high"] < -RELATED:
        key = "by_class" if spend.classes else "related"
        figures = {name: number(link[part], language, 2) for name, part in
                   (("rho", "spearman"), ("low", "low"), ("high", "high"))}  # fmt: skip
        found.append(_TEXTS[key][side].format(**figures))
    if spend.left_out and spend.left_out["negative"]:
        text = _TEXTS["negative"][side].format(n=count_text(spend.left_out["negative"], min_cell, language))
        found.append(text[0].upper() + text[1:])
    if gross:
        found.append(_TEXTS["gross"][side])
    return found


def _weak(model: PurchaseModel) -> list[str]:
    """The parameters that the fit calls weakly identified; all of them where the likelihood is flat."""
    if "flat" in model.convergence:
        return list(model.params.index)
    _, _, names = model.convergence.partition("weakly identified")
    return names.rpartition(":")[2].replace(" ", "").split(",") if names else []
