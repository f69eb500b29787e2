"""Results as readers see them: tables with units, and what the first screen says."""

import pandas as pd

from waage import style
from waage.clv.value import Terms

_KINDS = {
    "money": (
        *("value_12m", "clv", "endangered", "newcomers", "clv_per_customer", "value_endangered", "value_if_active"),
        *("expected_order_value", "revenue", "plan", "first_margin", "order_value", "value"),
    ),
    "count": ("customers", "active", "orders", "orders_new", "total"),
    "share": ("clv_share", "plan_gap", "p_alive", "p_order_90d", "top_decile", "coverage_80", "coverage_95"),
    "label": ("group", "model"),
}
_METRICS = (
    "total",
    "bias_pct",
    "mae",
    "rmse",
    "spearman",
    "gini",
    "top_decile",
    "coverage_80",
    "coverage_95",
    "log_score",
)
_VALUE = (
    "The customers we know are worth {total} of margin over {years} years (80% interval {low} to {high}, past errors "
    "of such forecasts included); the most valuable fifth holds {fifth} of it. Margin is {margin} of net revenue, "
    "discounted at {discount} a year (study.yaml).",
    "Die bekannten Kunden sind über {years} Jahre {total} Marge wert (80-%-Intervall {low} bis {high}, frühere "
    "Prognosefehler eingerechnet); das wertvollste Fünftel hält {fifth} davon. Die Marge ist {margin} vom Umsatz nach "
    "Retouren, abgezinst mit {discount} im Jahr (study.yaml).",
)


def readable(frame: pd.DataFrame, language: str = "en", currency: str = "EUR") -> pd.DataFrame:
    """Return a result of this subject as texts: money, shares, counts and labels by the names of the columns."""
    kinds = {name: kind for kind, names in _KINDS.items() for name in names if name in frame}
    return style.table(frame, language, currency, **kinds)


def backtest_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Return a backtest as one row a forecast, means over windows: model and the metrics readers look at."""
    wide = tested.groupby(["model", "metric"])["value"].mean().unstack()
    return wide.reindex(columns=list(_METRICS)).rename_axis(columns=None).reset_index()


def truth_sentence(
    values: pd.DataFrame, pairs: pd.DataFrame, future: pd.DataFrame, months: int, language: str = "en"
) -> str:
    """Hold expected orders against what the simulated persons really bought.

    Parameters
    ----------
    values : DataFrame
        person_id, expected_orders.
    pairs : DataFrame
        person_id and true_id; where one person was taken for several or several for one, the first counts.
    future : DataFrame
        person_id (the true one), known_orders in the 52 weeks after the end.
    months : int
        Horizon of expected_orders.
    language : {"en", "de"}
    """
    own = values[["person_id", "expected_orders"]].merge(pairs.drop_duplicates("person_id"), on="person_id")
    own = own.groupby("true_id")[["expected_orders"]].sum()
    both = own.join(future.set_index("person_id")["known_orders"]).fillna(0).astype(float)
    really, expected = (style.number(both[name].sum(), language) for name in ("known_orders", "expected_orders"))
    text = (
        "In the 52 weeks after the end the same persons really placed {really} orders; expected were {expected} "
        "purchase days in {months} months. By person the two have a Spearman correlation of {rho}.",
        "In den 52 Wochen danach haben dieselben Personen {really} Bestellungen aufgegeben; erwartet waren {expected} "
        "Kauftage in {months} Monaten. Je Person korrelieren beide mit {rho} (Spearman).",
    )[("en", "de").index(language)]
    rho = style.number(both.corr(method="spearman").iloc[0, 1], language, 2)
    return text.format(really=really, expected=expected, months=months, rho=rho)


def value_sentence(
    totals: pd.DataFrame, fifth: float, terms: Terms, currency: str = "EUR", language: str = "en"
) -> str:
    """Say what all customers are worth, within which interval, and on which assumptions.

    Parameters
    ----------
    totals : DataFrame
        As `value_totals` returns them.
    fifth : float
        Share of the value that the most valuable fifth of the customers holds.
    terms : Terms
    currency, language : str
    """
    row = totals[(totals["group"] == "all") & (totals["measure"] == "clv")].iloc[0]
    amounts = {name: style.money(row[key], currency, language) for name, key in
               (("total", "value"), ("low", "low"), ("high", "high"))}  # fmt: skip
    shares = {"fifth": fifth, "margin": terms.margin_rate, "discount": terms.discount_rate}
    texts = {name: style.percent(share, language) for name, share in shares.items()}
    return _VALUE[("en", "de").index(language)].format(years=terms.clv_years, **amounts, **texts)
