"""What the figures say, as sentences and tables in the reader's language."""

import pandas as pd

from waage import style
from waage.customer_base.activity import FLOWS, Activity
from waage.customer_base.channels import Channels
from waage.customer_base.concentration import Concentration
from waage.customer_base.definitions import DEFINITIONS, word
from waage.customer_base.newcomers import Newcomers
from waage.customer_base.plots import text as text_of
from waage.customer_base.plots import written, year_name
from waage.customer_base.portrait import Portrait
from waage.customer_base.rates import RATES, Rates

_DIGITS = tuple("0123456789")
_TEXTS = {
    "active": ("{n} {customers} active on {day}", "{n} {customers} am {day} aktiv"),
    "are": ("customers are", "Kunden sind"),
    "is": ("customer is", "Kunde ist"),
    "have": ("customers have", "Kunden haben"),
    "has": ("customer has", "Kunde hat"),
    "so_far": (
        "{n} {customers} ordered since the data begin on {first}; how many were active in the 12 months up to "
        "{day} cannot be told yet.",
        "{n} {customers} bestellt, seit die Daten am {first} beginnen; wie viele in den 12 Monaten bis zum {day} "
        "aktiv waren, lässt sich noch nicht sagen.",
    ),
    "nobody": (
        "Fewer than {n} customers have ordered up to {day}: no figure about them is shown.",
        "Weniger als {n} Kunden haben bis zum {day} bestellt: Über sie wird keine Zahl gezeigt.",
    ),
    "few_active": (
        "Fewer than {n} customers are active on {day}.",
        "Weniger als {n} Kunden sind am {day} aktiv.",
    ),
    "flows_hidden": (
        "How many came and went in these 12 months is hidden, as a group among them is small.",
        "Wie viele in diesen 12 Monaten kamen und gingen, ist verdeckt, weil eine Gruppe darunter klein ist.",
    ),
    "more": (", {change} more than a year before.", ", {change} mehr als ein Jahr zuvor."),
    "fewer": (", {change} fewer than a year before.", ", {change} weniger als ein Jahr zuvor."),
    "stop": (".", "."),
    "flows": (
        "In 12 months {new} ordered for the first time and {reactivated} came back after a pause of a year or more; "
        "{lapsed} lapsed.",
        "In 12 Monaten haben {new} zum ersten Mal bestellt und {reactivated} nach einer Pause von einem Jahr oder "
        "mehr wieder; {lapsed} sind abgewandert.",
    ),
    "returning_rate": (
        "Of those who ordered in the year before, {value} ({low} to {high}) ordered again.",
        "Von den Kunden des Vorjahres haben {value} ({low} bis {high}) wieder bestellt.",
    ),
    "repeat_rate": (
        "{value} ({low} to {high}) ordered twice or more.",
        "{value} ({low} bis {high}) haben zweimal oder öfter bestellt.",
    ),
    "short": (
        "The data begin on {first}: in their first 12 months a first order in the data may not be the first ever, so "
        "new, reactivated and lapsed customers are shown from {since} on.",
        "Die Daten beginnen am {first}: In den ersten 12 Monaten muss eine erste Bestellung in den Daten nicht die "
        "erste überhaupt sein; neue, reaktivierte und abgewanderte Kunden sind daher ab dem {since} ausgewiesen.",
    ),
    "none_yet": (
        "The data begin on {first} and end on {until}: too short to tell new customers from returning ones.",
        "Die Daten reichen vom {first} bis zum {until}: zu kurz, um neue von wiederkehrenden Kunden zu unterscheiden.",
    ),
    "anonymous": (
        "{orders} of all orders of these 12 months and {demand} of demand have no known person behind them; they are "
        "in none of these figures.",
        "{orders} aller Bestellungen dieser 12 Monate und {demand} der Nachfrage lassen sich keiner bekannten Person "
        "zuordnen; sie stecken in keiner dieser Zahlen.",
    ),
    "no_newcomers": (
        "Nobody ordered for the first time since {since}.",
        "Seit dem {since} hat niemand zum ersten Mal bestellt.",
    ),
    "newcomers_hidden": (
        "New customers are hidden: they are too few in every month.",
        "Neukunden sind verdeckt: Es sind in jedem Monat zu wenige.",
    ),
    "no_cohorts": (
        "No period is over yet whose customers could be followed.",
        "Noch ist kein Zeitraum vorüber, dessen Kunden sich verfolgen ließen.",
    ),
    "second": (
        "{share} ({low} to {high}) of the new customers of {month} had ordered again within {days} days.",
        "{share} ({low} bis {high}) der Neukunden vom {month} hatten binnen {days} Tagen wieder bestellt.",
    ),
    "gini": (
        "The Gini coefficient is {gini} (95% interval {low} to {high}).",
        "Der Gini-Koeffizient ist {gini} (95-%-Intervall {low} bis {high}).",
    ),
    "negative": (
        "{negative} of {customers} active customers brought less than nothing, which counts as zero.",
        "{negative} von {customers} aktiven Kunden: Umsatz unter null, zählt als null.",
    ),
    "few_customers": (
        "Fewer than {fewest} customers are active: too few to speak of concentration.",
        "Weniger als {fewest} Kunden sind aktiv: zu wenige, um von Konzentration zu sprechen.",
    ),
    "no_revenue": (
        "Net revenue of the 12 months is not positive: it cannot be shared out.",
        "Der Umsatz nach Retouren der 12 Monate ist nicht positiv: Er lässt sich nicht aufteilen.",
    ),
    "known": ("Known of the active customers: {known}.", "Bekannt von den aktiven Kunden: {known}."),
    "objectors": (
        "{n} active customers object to profiling and are left out.",
        "{n} aktive Kunden widersprechen der Profilbildung und sind ausgelassen.",
    ),
    "few": ("Fewer than {n}", "Weniger als {n}"),
    "no_attributes": (
        "The study holds neither gender nor birth date nor address of its customers: there is nothing to portray.",
        "Die Studie enthält weder Geschlecht noch Geburtsdatum noch Anschrift der Kunden: Es gibt nichts zu zeigen.",
    ),
    "no_permissions": (
        "The study holds no consents: nothing is known of permissions.",
        "Die Studie enthält keine Einwilligungen: Über sie ist nichts bekannt.",
    ),
    "to_date": (" to date", " bis Stichtag"),
}


def base_finding(activity: Activity, rates: Rates, language: str = "en") -> str:
    """Return the first sentence of the report: how many are active, where they came from, who returns."""
    until, fewest = style.day(activity.history.until, language), activity.min_cell
    if activity.customers < fewest:
        return f"**{_say('nobody', language, n=fewest, day=until)}**"
    known = activity.summary.set_index("measure")
    if "active" not in known.index:
        first = style.day(activity.history.first, language)
        return f"**{_counted('so_far', activity.customers, ('has', 'have'), language, first=first, day=until)}**"
    active, change = known.loc["active", ["value", "change"]]
    if pd.isna(active):
        return f"**{_say('few_active', language, n=fewest, day=until)}**"
    text = _counted("active", active, ("is", "are"), language, day=until)
    compared = "stop" if pd.isna(change) else "more" if change >= 0 else "fewer"
    parts = [f"**{text}{_say(compared, language, change=style.percent(abs(change), language, 1))}**"]
    flows = known["value"].reindex(FLOWS).dropna()
    if len(flows):
        texts = {flow: style.number(value, language) for flow, value in flows.items()}
        parts.append(_say("flows", language, **texts))
    elif set(FLOWS) <= set(known.index):
        parts.append(_say("flows_hidden", language))
    for row in rates.summary.itertuples():
        shares = {"value": row.value, "low": row.value_low, "high": row.value_high}
        shares = {name: style.percent(share, language, 1) for name, share in shares.items()}
        parts.append(_say(row.measure, language, **shares))
    return " ".join(parts)


def history_note(activity: Activity, language: str = "en") -> str:
    """Return from when on the data can tell a new customer; empty where they reach back to the first ever."""
    past = activity.history
    if past.whole:
        return ""
    days = {name: style.day(getattr(past, name), language) for name in ("first", "until")}
    shown = activity.series("new")["period"]
    if shown.empty:
        return _say("none_yet", language, **days)
    return _say("short", language, since=style.day(shown.iloc[0], language), **days)


def channels_note(channels: Channels, language: str = "en") -> str:
    """Return how much of the business has no known person; empty where everything has one."""
    if not channels.anonymous_orders:
        return ""
    shares = {"orders": channels.anonymous_orders, "demand": channels.anonymous_demand}
    return _say("anonymous", language, **{key: style.percent(share, language) for key, share in shares.items()})


def newcomers_finding(newcomers: Newcomers, activity: Activity, language: str = "en", days: int = 90) -> str:
    """Return the share with a second order of the newest month that can be told, or why there is none."""
    table = newcomers.table
    if table.empty:
        return history_note(activity, language)
    if not (table["customers"] > 0).any():
        if table["customers"].isna().any():
            return _say("newcomers_hidden", language)
        return _say("no_newcomers", language, since=style.day(table["month"].iloc[0], language))
    told = table[table[f"within_{days}"].notna()]
    if told.empty:
        return ""
    last = told.iloc[-1]
    ends = {"share": f"within_{days}", "low": f"within_{days}_low", "high": f"within_{days}_high"}
    shares = {name: style.percent(last[column], language) for name, column in ends.items()}
    month = style.day(last["month"], language).partition(" ")[2]
    return _say("second", language, month=month, days=days, **shares)


def concentration_finding(concentration: Concentration, language: str = "en", min_cell: int = 10) -> str:
    """Return the Gini coefficient with its interval, or why there is none."""
    if concentration.problem:
        return _say(concentration.problem, language, fewest=concentration.fewest)
    ends = {"gini": concentration.gini, "low": concentration.gini_low, "high": concentration.gini_high}
    figures = {name: style.number(value, language, 2) for name, value in ends.items()}
    text = _say("gini", language, **figures)
    if not concentration.negative:
        return text
    counts = {"negative": _or_few(concentration.negative, min_cell, language)}
    counts["customers"] = style.number(concentration.customers, language)
    return f"{text} {_say('negative', language, **counts)}"


def portrait_finding(portrait: Portrait, language: str = "en", min_cell: int = 10) -> str:
    """Return how complete the portrait is and who is left out, or that there is nothing to portray."""
    if portrait.table.empty:
        return _say("no_attributes", language)
    known = ", ".join(
        f"{word(row.attribute, language)} "
        + (style.label("hidden", language) if pd.isna(row.share) else style.percent(row.share, language))
        for row in portrait.completeness.itertuples()
    )
    known = _say("known", language, known=known)
    if not portrait.objectors:
        return known
    return f"{known} {_say('objectors', language, n=_or_few(portrait.objectors, min_cell, language))}"


def absence(key: str, language: str = "en") -> str:
    """Return the sentence for what a study does not hold: no_permissions, no_cohorts."""
    return _say(key, language)


def summary_table(activity: Activity, language: str = "en", currency: str = "EUR") -> pd.DataFrame:
    """Return the last 12 months against the 12 months before, as texts."""
    rows = []
    summary = activity.summary[activity.summary["measure"] != "ordering"]  # of 12 months: the active ones
    for row in summary.itertuples():
        kind = DEFINITIONS[row.measure].kind
        values = [
            _figure(row.value, kind, currency, language, row.hidden),
            _figure(row.value_before, kind, currency, language),
        ]
        rows.append((word(row.measure, language), *values, _signed(row.change, language)))
    table = pd.DataFrame(rows, columns=["measure", "last_12_months", "before_12_months", "change"])
    return table if summary["value_before"].notna().any() else table[["measure", "last_12_months"]]


def year_table(activity: Activity, rates: Rates, language: str = "en", currency: str = "EUR") -> pd.DataFrame:
    """Return the fiscal years side by side, as texts; the running one beside the same days of the year before."""
    table = activity.table.query("grain == 'fiscal_year' and known")
    columns = {"measure": [word(name, language) for name in table["measure"].drop_duplicates()]}
    names = list(table["measure"].drop_duplicates())
    share = rates.table.query("grain == 'fiscal_year'")
    measures = [name for name in RATES if name in set(share["measure"])]
    columns["measure"] += [word(name, language) for name in measures]
    for period, part in table.groupby("period"):
        own = part.set_index("measure")
        name = year_name(period, language)
        ends = {name: "value"}
        if not own["complete"].all():
            earlier = year_name(period - pd.DateOffset(years=1), language)
            to_date = _say("to_date", language)
            ends = {earlier + to_date: "value_before", name + to_date: "value"}
        for title, end in ends.items():
            values = own[end].reindex(names)
            if values.isna().all():
                continue
            hidden = own["hidden"].reindex(names, fill_value=False) & (end == "value")
            texts = [_figure(values[key], DEFINITIONS[key].kind, currency, language, hidden[key]) for key in names]
            here = share[share["period"] == period].set_index("measure")["value"]
            shares = here.reindex(measures) if end == "value" else pd.Series(float("nan"), index=measures)
            columns[title] = texts + [style.percent(value, language, 1) for value in shares]
    return pd.DataFrame(columns)


def newcomers_table(newcomers: Newcomers, language: str = "en", currency: str = "EUR") -> pd.DataFrame:
    """Return the last 12 months that had new customers: how many, their first basket, who ordered again; as texts."""
    table = newcomers.table[newcomers.table["customers"] != 0].tail(12)
    months = [style.day(month, language).partition(" ")[2] for month in table["month"]]
    todate = ["" if done else _say("to_date", language) for done in table["complete"]]
    shown = pd.DataFrame({"month": [month + part for month, part in zip(months, todate, strict=True)]})
    shown["customers"] = table["customers"].to_numpy()
    whole = {"basket": 1, "basket_median": 1} | {name: 100 for name in table if name.endswith(_DIGITS)}
    for name, scale in whole.items():
        title = f"first_{name}" if scale == 1 else name
        shown[title] = [_with_ends(row, name, scale, currency, language) for row in table.to_dict("records")]
    return style.table(shown, language, currency, customers="count")


def permissions_table(permissions: pd.DataFrame) -> pd.DataFrame:
    """Return how many customers opted in on each channel: of the active ones and of all known persons."""
    granted = permissions[permissions["status"] == "granted"]
    wide = granted.pivot(index="channel", columns="group", values=["customers", "share"])
    wide = wide.reindex(granted["channel"].drop_duplicates()).reset_index()
    ends = {"customers": "", "share": "_share"}
    wide.columns = ["channel", *(f"opt_ins_{group}{ends[value]}" for value, group in wide.columns[1:])]
    return wide[["channel", *(f"opt_ins_{group}{end}" for group in ("active", "all") for end in ("", "_share"))]]


def _with_ends(row: dict, name: str, scale: int, currency: str, language: str) -> str:
    """Return a figure with its interval, whole numbers: a table of twelve months has to fit on a page."""
    if pd.isna(row[name]):
        return style.MISSING
    text = style.money(row[name], currency, language) if scale == 1 else style.percent(row[name], language)
    ends = [row.get(f"{name}_{end}", float("nan")) for end in ("low", "high")]
    if pd.isna(ends[0]):
        return text
    return f"{text} ({'–'.join(style.number(end * scale, language) for end in ends)})"


def _signed(change: float, language: str) -> str:
    return ("+" if change >= 0.0005 else "") + style.percent(change, language, 1)


def _figure(value: float, kind: str, currency: str, language: str, hidden: bool = False) -> str:
    if hidden:
        return style.label("hidden", language)
    if kind == "money" and value == value and abs(value) >= 1000:
        return style.money(value, currency, language)
    return style.MISSING if pd.isna(value) else written(value, kind, currency, language)


def _counted(key: str, n: float, verbs: tuple[str, str], language: str, **values: str) -> str:
    customers = _say(verbs[n != 1], language)
    return _say(key, language, n=style.number(n, language), customers=customers, **values)


def _or_few(n: int, min_cell: int, language: str) -> str:
    return _say("few", language, n=min_cell) if n < min_cell else style.number(n, language)


def _say(key: str, language: str, **values: object) -> str:
    return text_of(key, language, _TEXTS, **values)
