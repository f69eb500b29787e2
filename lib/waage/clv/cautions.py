"""What a reader must know before trusting a forecast of customer value, as sentences computed from the results."""

import pandas as pd

from waage.clv.purchases import PurchaseModel
from waage.clv.spend import SpendModel

LOW_COVERAGE = 0.75  # of nominal 80 % intervals; a judgement
RELATED = 0.1  # rank correlation of frequency and value beyond which the spend model's assumption fails; a judgement


def within_chance(backtest: pd.DataFrame, model: str) -> bool:
    """Return whether the model's 95 % interval of the total in the test covers what happened."""
    bias = backtest[(backtest["model"] == model) & (backtest["metric"] == "bias_pct")].iloc[0]
    return bool(bias["low"] <= 0 <= bias["high"])


def cautions(
    backtest: pd.DataFrame, model: PurchaseModel, spend: SpendModel, *, holdout_days: int, gross: bool
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
    """
    tested = backtest[backtest["model"] == model.model].set_index("metric")
    found = []
    if not within_chance(backtest, model.model):
        found.append(
            f"In the test the forecast missed the number of purchases in {holdout_days} days by "
            f"{tested.loc['bias_pct', 'value']:+.0f}%, more than chance explains: the history has trends or seasons "
            "that the model does not know."
        )
    coverage = tested.loc["coverage_80", "value"]
    if coverage < LOW_COVERAGE:
        found.append(f"Intervals of single customers are too narrow: 80% intervals held {coverage:.0%}.")
    if any(word in model.convergence for word in ("weakly", "flat")):
        found.append(
            "Hardly any customer leaves in this history: how fast they do (a, b) is weakly known, see the models."
        )
    link = spend.independence
    if link["low"] > RELATED or link["high"] < -RELATED:
        found.append(
            f"How often customers buy and how much they spend are related (Spearman {link['spearman']:.2f}); the "
            "spend model assumes they are not."
        )
    if gross:
        found.append("Order values include VAT, so the margin on them is too high by the VAT.")
    return found
