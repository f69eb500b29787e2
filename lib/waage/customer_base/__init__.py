"""The customer base: who is active, who came and went, who returns, whom one may write to; each with its definition."""

from waage.customer_base.activity import Activity, activity
from waage.customer_base.channels import Channels, channels
from waage.customer_base.cohorts import Cohorts, cohorts
from waage.customer_base.concentration import Concentration, concentration
from waage.customer_base.definitions import DEFINITIONS, appendix, chapter, defined, definition, word
from waage.customer_base.newcomers import Newcomers, newcomers
from waage.customer_base.periods import History, active_customers, history, rolling_year
from waage.customer_base.plots import plot_base, plot_channels, plot_months, plot_rates
from waage.customer_base.portrait import Portrait, permissions, portrait
from waage.customer_base.profile_plots import (
    plot_cohorts,
    plot_lorenz,
    plot_mix,
    plot_permissions,
    plot_portrait,
    plot_second_order,
)
from waage.customer_base.rates import Rates, rates
from waage.customer_base.sentences import (
    absence,
    base_finding,
    channels_note,
    concentration_finding,
    history_note,
    newcomers_finding,
    newcomers_table,
    permissions_table,
    portrait_finding,
    summary_table,
    year_table,
)
from waage.customer_base.table import customer_base_table

__all__ = [
    "DEFINITIONS", "Activity", "Channels", "Cohorts", "Concentration", "History", "Newcomers", "Portrait", "Rates",
    "absence", "active_customers", "activity", "appendix", "base_finding", "channels", "channels_note", "chapter",
    "cohorts", "concentration", "concentration_finding", "customer_base_table", "defined", "definition", "history",
    "history_note", "newcomers", "newcomers_finding", "newcomers_table", "permissions", "permissions_table",
    "plot_base", "plot_channels", "plot_cohorts", "plot_lorenz", "plot_mix", "plot_months", "plot_permissions",
    "plot_portrait", "plot_rates", "plot_second_order", "portrait", "portrait_finding", "rates", "rolling_year",
    "summary_table", "word", "year_table",
]  # fmt: skip
