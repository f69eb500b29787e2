"""Customer lifetime value: how often customers will buy, for how much, and how far that can be trusted."""

from waage.clv.backtest import backtest, backtest_revenue, holdout_by_group, normalised_gini, top_share
from waage.clv.cautions import cautions, within_chance
from waage.clv.plots import plot_calibration, plot_value_concentration
from waage.clv.histories import unique_histories
from waage.clv.purchases import PurchaseModel, fit_purchases
from waage.clv.spend import SpendModel, fit_spend
from waage.clv.value import customer_value, total_value, value_concentration

__all__ = [
    "PurchaseModel",
    "SpendModel",
    "backtest",
    "backtest_revenue",
    "cautions",
    "customer_value",
    "fit_purchases",
    "fit_spend",
    "holdout_by_group",
    "normalised_gini",
    "plot_calibration",
    "plot_value_concentration",
    "top_share",
    "total_value",
    "unique_histories",
    "value_concentration",
    "within_chance",
]
