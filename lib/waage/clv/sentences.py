"""What a reader is told in a sentence: what customers are worth, how the models were fitted, what the truth was."""

import re
from datetime import date

import ibis.expr.types as ir
import pandas as pd

from waage import style
from waage.clv.purchases import PurchaseModel
from waage.clv.spend import SpendModel
from waage.clv.totals import count_text
from waage.clv.value import FOREVER, Terms
from waage.errors import Refused

_VALUE = (
    "The customers we know are worth {total} of margin over {span} (80% interval {low} to {high}, past errors of such "
    "forecasts included{moved}); the most valuable fifth holds {fifth} of it. Margin is {margin} of net revenue, "
    "discounted at {discount} a year (study.yaml).",
    "Die bekannten Kunden sind über {span} {total} Marge wert (80-%-Intervall {low} bis {high}, frühere "
    "Prognosefehler eingerechnet{moved}); das wertvollste Fünftel hält {fifth} davon. Die Marge ist {margin} vom "
    "Umsatz nach Retouren, abgezinst mit {discount} im Jahr (study.yaml).",
)
_SPANS = {
    "one": ("one year", "ein Jahr"),
    "years": ("{years} years", "{years} Jahre"),
    "ever": ("all years to come", "alle kommenden Jahre"),
}
_MOVED = {
    "up": (", which raise it by {moved}", ", die ihn um {moved} heben"),
    "down": (", which lower it by {moved}", ", die ihn um {moved} senken"),
}

_FIT = (
    "Parameters are in {unit}. {customers} customers have {histories} distinct histories. Spearman "
    "correlation of frequency and value of a purchase day: {rho} ({low} to {high}). Not in the spend model: {one_time} "
    "customers without a repeat purchase, {zero} whose repeat purchases net to nothing, {negative} to less. Log of the "
    "fit: *{how}*.",
    "Parameter in {unit}. {customers} Kunden haben {histories} verschiedene Historien. "
    "Spearman-Korrelation von Häufigkeit und Wert eines Kauftags: {rho} ({low} bis {high}). Nicht im Modell der "
    "Bestellwerte: {one_time} Kunden ohne Wiederkauf, {zero}, bei denen von den Wiederkäufen nichts, {negative}, bei "
    "denen weniger als nichts bleibt. Protokoll der Anpassung: *{how}*.",
)
_UNITS = {"days": ("days", "Tagen"), "weeks": ("weeks", "Wochen")}
_SEASON = {
    "asked": (
        "Models with a seasonal calendar were not asked for.",
        "Modelle mit Saisonkalender waren nicht verlangt.",
    ),
    "short": (
        "No seasonal calendar could be tested: it needs two years of history before the test, and totals are forecast "
        "without a season.",
        "Ein Saisonkalender ließ sich nicht prüfen: Er braucht zwei Jahre Historie vor dem Test, Summen kommen daher "
        "ohne Saison aus.",
    ),
    "beaten": (
        "Models with a seasonal calendar were tested; the chosen one has none: totals are forecast without a season.",
        "Modelle mit Saisonkalender wurden geprüft; das gewählte hat keinen, Summen kommen daher ohne Saison aus.",
    ),
    "found": (
        "The seasonal calendar rests on {weeks} weeks.",
        "Der Saisonkalender ruht auf {weeks} Wochen.",
    ),
}


#: What a fit says of itself, in the order in which a phrase may hold another.
_LOG = (
    ("accepted by its gradient", "nach dem Gradienten angenommen"),
    ("converged", "konvergiert"),
    ("at the default tolerance", "bei der üblichen Toleranz"),
    ("from the end of the first search", "vom Ende der ersten Suche"),
    (r"from a fit on ([\d,]+) grouped histories", r"von einer Anpassung an \1 gruppierte Historien"),
    (r"from start (\d+) of (\d+)", r"von Start \1 von \2"),
    ("at tolerance", "bei Toleranz"),
    ("largest gradient", "größter Gradient"),
    ("the likelihood is flat: no standard errors", "die Likelihood ist flach: keine Standardfehler"),
    ("weakly identified", "schwach bestimmt"),
    ("standard error of the logarithm above 1", "Standardfehler des Logarithmus über 1"),
)


def fit_sentence(
    model: PurchaseModel,
    spend: SpendModel,
    calendar: object = None,
    unit: str = "days",
    language: str = "en",
    min_cell: int = 0,
) -> str:
    """Say how the chosen models were fitted, on whom, whether money depends on frequency, whether there is a season.

    Parameters
    ----------
    model, spend : PurchaseModel, SpendModel
    calendar : Calendar, Refused or None
        The one that was tested: that of the cut. None: none was asked for.
    unit : {"days", "weeks"}
        Of the parameters.
    language : {"en", "de"}
    min_cell : int
        Fewer customers than this are not counted out.
    """
    side, link, out = ("en", "de").index(language), spend.independence, spend.left_out or {}
    figures = {"customers": style.number(model.n_customers, language), "unit": _UNITS[unit][side]}
    figures |= {"histories": style.number(model.n_histories, language), "how": _log(model, side)}
    figures |= {key: style.number(link[name], language, 2) for key, name in
                (("rho", "spearman"), ("low", "low"), ("high", "high"))}  # fmt: skip
    figures |= {name: count_text(out.get(name, 0), min_cell, language) for name in ("one_time", "zero", "negative")}
    key = "asked" if calendar is None else "short" if isinstance(calendar, Refused) else "beaten"
    weeks = ""
    if model.calendar is not None:
        key, weeks = "found", style.number(model.calendar.weeks, language)
    return f"{_FIT[side].format(**figures)} {_SEASON[key][side].format(weeks=weeks)}"


def _log(model: PurchaseModel, side: int) -> str:
    text = model.convergence
    for english, german in _LOG if side else ():
        text = re.sub(english, german, text)
    return text


def window_sentence(cut: date, holdout_days: int, chosen: str, language: str = "en") -> str:
    """Say what was learned on, how long the test was, and which model the values of the report come from."""
    text = (
        "Learned up to {day}, forecast for {days} days. The values of this report come from {name}, see the models.",
        "Gelernt bis {day}, vorhergesagt für {days} Tage. Die Werte dieses Berichts stammen aus „{name}“, siehe "
        "Modelle.",
    )[("en", "de").index(language)]
    return text.format(day=style.day(cut, language), days=holdout_days, name=style.label(chosen, language))


def truth_sentence(
    values: pd.DataFrame,
    identity_map: ir.Table,
    identities: ir.Table,
    future: ir.Table,
    months: int,
    language: str = "en",
    again: float = 1.0,
) -> str:
    """Hold expected orders against what the simulated persons really bought.

    Parameters
    ----------
    values : DataFrame
        person_id, expected_orders.
    identity_map, identities : ibis tables
        source, source_id, person_id: as found, and the true one. Where one person was taken for several or several for
        one, the first counts.
    future : ibis table
        person_id (the true one), known_orders in the 52 weeks after the end.
    months : int
        Horizon of expected_orders.
    language : {"en", "de"}
    again : float
        Factor of past errors by which totals are moved.
    """
    true = identities.select("source", "source_id", true_id="person_id")
    pairs = identity_map.inner_join(true, ["source", "source_id"]).select("person_id", "true_id").distinct()
    pairs = pairs.order_by("person_id", "true_id").execute()
    future = future.execute()
    own = values[["person_id", "expected_orders"]].merge(pairs.drop_duplicates("person_id"), on="person_id")
    own = own.groupby("true_id")[["expected_orders"]].sum()
    both = own.join(future.set_index("person_id")["known_orders"]).fillna(0).astype(float)
    really = style.number(both["known_orders"].sum(), language)
    expected = style.number(again * both["expected_orders"].sum(), language)
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
    amounts = {name: style.compact(row[key], currency, language, 3) for name, key in
               (("total", "value"), ("low", "low"), ("high", "high"))}  # fmt: skip
    shares = {"fifth": fifth, "margin": terms.margin_rate, "discount": terms.discount_rate}
    texts = {name: style.percent(share, language) for name, share in shares.items()}
    side, moved = ("en", "de").index(language), row.get("again", 1.0) - 1
    span = {FOREVER: "ever", 1: "one"}.get(terms.clv_years, "years")
    texts["span"] = _SPANS[span][side].format(years=terms.clv_years)
    key = "up" if moved > 0 else "down"
    by = style.percent(abs(moved), language)
    texts["moved"] = _MOVED[key][side].format(moved=by) if abs(moved) >= 0.005 else ""
    return _VALUE[side].format(**amounts, **texts)
