"""Customer lifetime value: how often customers will buy, for how much, and how far that can be trusted."""

from waage.clv.backtest import (
    backtest,
    backtest_revenue,
    error_of,
    holdout_by_group,
    normalised_gini,
    origins,
    predictive_check,
    rolling_backtest,
    top_share,
)
from waage.clv.baselines import baselines
from waage.clv.calendar import Calendar, fit_calendar
from waage.clv.cautions import cautions, within_chance
from waage.clv.choice import choose_model, fit_models, verdict
from waage.clv.histories import check_orders, histories_from, return_rates, unique_histories, whole_weeks
from waage.clv.newcomers import first_purchases, newcomer_value
from waage.clv.plots import (
    plot_calibration,
    plot_cumulative,
    plot_customer,
    plot_history_map,
    plot_totals,
    plot_value_concentration,
    plot_year,
)
from waage.clv.purchases import PurchaseModel, fit_purchases
from waage.clv.sentences import backtest_table, readable, truth_sentence, value_sentence
from waage.clv.spend import SpendModel, fit_spend
from waage.clv.totals import ForecastError, order_total, past_error, value_cells, value_totals
from waage.clv.tracking import alive_path, cumulative_orders
from waage.clv.uses import budget_table, churn_list, forecast_check, forecast_sentence, newcomer_list, outlook
from waage.clv.value import Scores, Terms, customer_value, score_histories, value_concentration, value_table

__all__ = [
    "Calendar",
    "ForecastError",
    "PurchaseModel",
    "Scores",
    "SpendModel",
    "Terms",
    "alive_path",
    "backtest",
    "backtest_revenue",
    "backtest_table",
    "baselines",
    "budget_table",
    "cautions",
    "check_orders",
    "choose_model",
    "churn_list",
    "cumulative_orders",
    "customer_value",
    "error_of",
    "first_purchases",
    "fit_calendar",
    "fit_models",
    "fit_purchases",
    "fit_spend",
    "forecast_check",
    "forecast_sentence",
    "histories_from",
    "holdout_by_group",
    "newcomer_list",
    "newcomer_value",
    "normalised_gini",
    "order_total",
    "origins",
    "outlook",
    "past_error",
    "plot_calibration",
    "plot_cumulative",
    "plot_customer",
    "plot_history_map",
    "plot_totals",
    "plot_value_concentration",
    "plot_year",
    "predictive_check",
    "readable",
    "return_rates",
    "rolling_backtest",
    "score_histories",
    "top_share",
    "truth_sentence",
    "unique_histories",
    "value_cells",
    "value_concentration",
    "value_sentence",
    "value_table",
    "value_totals",
    "verdict",
    "whole_weeks",
    "within_chance",
]
