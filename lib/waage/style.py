"""What readers see: palette, numbers, money, dates and labels in English and German.

Importing this module loads neither Matplotlib nor pandas; only ``apply`` and the ``axis_*`` helpers do.
"""

import datetime
import math

from waage.errors import WaageError, did_you_mean

ACCENT = "#14626b"  # petrol: the one colour a chart with a single series uses
BRASS = "#d09a36"
INK = "#1f2a33"
MUTED = "#66727b"
PALETTE = [ACCENT, BRASS, "#5f86bd", "#a8472f", "#b3d6bd", "#4a2d5e", "#8b959d"]

SEGMENT_COLOURS = {
    "champions": "#0e4d54",
    "loyal": "#1f7a80",
    "potential_loyalists": "#5ba3a0",
    "new": "#4f78b0",
    "promising": "#9bb7db",
    "need_attention": "#ecd28a",
    "about_to_sleep": "#d09a36",
    "cant_lose": "#8f3222",
    "at_risk": "#cf7a58",
    "hibernating": "#a3adb4",
    "lost": "#cfd5d9",
}

STAGE_COLOURS = {
    "lead": "#cfd5d9",
    "new": "#4f78b0",
    "one_time": "#9bb7db",
    "active": "#0e4d54",
    "reactivated": "#5ba3a0",
    "at_risk": "#cf7a58",
    "lapsed": "#a3adb4",
}

LABELS = {
    # RFM segments
    "champions": ("Champions", "Champions"),
    "loyal": ("Loyal customers", "Treue Kunden"),
    "potential_loyalists": ("Potential loyalists", "Potenzielle Stammkunden"),
    "new": ("New customers", "Neukunden"),
    "promising": ("Promising", "Vielversprechend"),
    "need_attention": ("Need attention", "Brauchen Aufmerksamkeit"),
    "about_to_sleep": ("About to sleep", "Drohen einzuschlafen"),
    "cant_lose": ("Can't lose", "Nicht zu verlieren"),
    "at_risk": ("At risk", "Gefährdet"),
    "hibernating": ("Hibernating", "Ruhend"),
    "lost": ("Lost", "Verloren"),
    # lifecycle stages: some have the name of a segment, and are another group
    "stage_lead": ("Lead", "Interessent"),
    "stage_new": ("New", "Neu"),
    "stage_one_time": ("One-time buyer", "Einmalkäufer"),
    "stage_active": ("Active", "Aktiv"),
    "stage_reactivated": ("Reactivated", "Reaktiviert"),
    "stage_at_risk": ("At risk", "Gefährdet"),
    "stage_lapsed": ("Lapsed", "Abgewandert"),
    "purchase days": ("purchase days", "Kauftage"),
    "not_yet": ("Not yet a customer", "Noch kein Kunde"),
    "gone": ("gone", "nicht mehr da"),
    "stayed": ("stayed", "geblieben"),
    "moved_up": ("moved up", "aufgestiegen"),
    "moved_down": ("moved down", "abgestiegen"),
    "customers_before": ("customers before", "Kunden vorher"),
    "customers_after": ("customers after", "Kunden nachher"),
    "customers_change": ("change in customers", "Veränderung der Kunden"),
    "revenue_change": ("change in net revenue", "Veränderung des Umsatzes"),
    "r": ("recency (days)", "letzter Kauf (Tage)"),
    "f": ("frequency (orders)", "Häufigkeit (Bestellungen)"),
    "m": ("monetary", "Umsatz"),
    "score": ("score", "Punkte"),
    "psi": ("PSI", "PSI"),
    "lower": ("more than", "mehr als"),
    "upper": ("up to", "bis zu"),
    "breaks": ("bounds", "Grenzen"),
    "quantile": ("quantile", "Quantil"),
    "given": ("given", "gegeben"),
    "orders_ahead": ("orders ahead", "künftige Bestellungen"),
    "split": ("split", "Einteilung"),
    "groups": ("groups", "Gruppen"),
    "auc": ("AUC", "AUC"),
    "lift": ("lift in the best 20%", "Lift in den besten 20 %"),
    "revenue_capture_20": ("revenue in the best 20%", "Umsatz in den besten 20 %"),
    "brier_skill": ("Brier skill", "Brier-Skill"),
    "difference_to_segments": ("difference to segments (AUC)", "Differenz zu Segmenten (AUC)"),
    "tied_share": ("tied", "gleichauf"),
    "owner": ("owner", "zuständig"),
    "rule": ("rule", "Regel"),
    "rule_de": ("rule", "Regel"),
    "meaning": ("meaning", "Bedeutung"),
    "meaning_de": ("meaning", "Bedeutung"),
    "action": ("what to do", "Was zu tun ist"),
    "action_de": ("what to do", "Was zu tun ist"),
    "label": ("segment", "Segment"),
    "label_de": ("segment", "Segment"),
    # channels and the state of an order
    "online": ("Online", "Online"),
    "store": ("Store", "Filiale"),
    "placed": ("Placed", "Bestellt"),
    "shipped": ("Shipped", "Versandt"),
    "cancelled": ("Cancelled", "Storniert"),
    "web": ("Web shop", "Onlineshop"),
    "app": ("App", "App"),
    "card": ("Loyalty card", "Kundenkarte"),
    "guest": ("Guest order", "Gastbestellung"),
    "news": ("Newsletter", "Newsletter"),
    "ereceipt": ("E-receipt", "E-Beleg"),
    "panel": ("Survey panel", "Befragung"),
    "pos": ("Till", "Kasse"),
    "mobile": ("Mobile", "Mobil"),
    "desktop": ("Desktop", "Desktop"),
    # identity
    "known_demand": ("demand with a face", "Nachfrage mit Gesicht"),
    "wrong_links": ("wrong links, estimated", "falsche Verknüpfungen, geschätzt"),
    "loyalty_card": ("Loyalty card", "Kundenkarte"),
    "email": ("E-mail", "E-Mail"),
    "device": ("Device", "Gerät"),
    "first_name": ("first name", "Vorname"),
    "birth_date": ("birth date", "Geburtsdatum"),
    "loyalty_id": ("loyalty card", "Kundenkarte"),
    "gender": ("gender", "Geschlecht"),
    "phone_initial": ("Phone and initial", "Telefon und Initiale"),
    "name_birth_date": ("Name and birth date", "Name und Geburtsdatum"),
    "name_address": ("Name and address", "Name und Anschrift"),
    "model": ("Model", "Modell"),
    "decision": ("Decision of a person", "Entscheidung eines Menschen"),
    # models and baselines
    "bg": ("BG/NBD", "BG/NBD"),
    "mbg": ("MBG/NBD", "MBG/NBD"),
    "pareto": ("Pareto/NBD", "Pareto/NBD"),
    "bg_calendar": ("BG/NBD with calendar", "BG/NBD mit Kalender"),
    "mbg_calendar": ("MBG/NBD with calendar", "MBG/NBD mit Kalender"),
    "pareto_calendar": ("Pareto/NBD with calendar", "Pareto/NBD mit Kalender"),
    "zero": ("Nobody returns", "Niemand kommt wieder"),
    "same_count": ("Same count again", "Gleiche Anzahl wie zuvor"),
    "same_rate": ("Same rate again", "Gleiche Rate wie zuvor"),
    "last_window": ("Last window again", "Wie im letzten Fenster"),
    "segment_mean": ("Mean of the segment", "Mittel des Segments"),
    "trees": ("Boosted trees", "Boosting-Bäume"),
    # money words and their basis
    "demand": ("Demand", "Nachfrage"),
    "net_revenue": ("Net revenue", "Umsatz nach Retouren"),
    "margin": ("Margin", "Marge"),
    "net": ("excl. VAT", "ohne MwSt."),
    "gross": ("incl. VAT", "inkl. MwSt."),
    # columns of result tables
    "all": ("all", "alle"),
    "p_alive": ("probability alive", "Wahrscheinlichkeit aktiv"),
    "p_order_90d": ("probability of an order in 90 days", "Wahrscheinlichkeit einer Bestellung in 90 Tagen"),
    "expected_orders": ("expected purchase days", "erwartete Kauftage"),
    "expected_order_value": ("expected value of a purchase day", "erwarteter Wert eines Kauftags"),
    "value_12m": ("value in 12 months", "Wert in 12 Monaten"),
    "clv": ("customer lifetime value", "Kundenwert"),
    "clv_low": ("customer lifetime value, low", "Kundenwert, unten"),
    "clv_high": ("customer lifetime value, high", "Kundenwert, oben"),
    "clv_total": ("value of all customers (margin)", "Wert aller Kunden (Marge)"),
    "top_segment": ("segment with most revenue", "Segment mit dem meisten Umsatz"),
    "top_segment_revenue": ("its share of revenue", "dessen Anteil am Umsatz"),
    "customers_in_segments": ("customers in segments", "Kunden in Segmenten"),
    "backtest_bias": ("error of the forecast in the test, purchase days", "Fehler der Prognose im Test, Kauftage"),
    "backtest_revenue_bias": ("error of the forecast in the test, revenue", "Fehler der Prognose im Test, Umsatz"),
    "gamma_gamma": ("Gamma-Gamma", "Gamma-Gamma"),
    "gamma_gamma_by_frequency": ("Gamma-Gamma by frequency class", "Gamma-Gamma je Häufigkeitsklasse"),
    "bias_pct": ("bias (%)", "Verzerrung (%)"),
    "coverage_95": ("coverage of 95% intervals", "Abdeckung der 95-%-Intervalle"),
    "log_score": ("log score", "Log-Score"),
    "gini": ("Gini (normalised)", "Gini (normiert)"),
    "top_decile": ("purchases in the top tenth", "Käufe im besten Zehntel"),
    "days_to_order": ("median days to the next order", "mittlere Tage bis zum nächsten Kauf (Median)"),
    "value_endangered": ("value endangered", "gefährdeter Wert"),
    "value_past": ("margin so far", "bisherige Marge"),
    "value_total": ("value including history", "Wert mit Historie"),
    "coverage_80": ("coverage of 80% intervals", "Abdeckung der 80-%-Intervalle"),
    "std_error": ("standard error", "Standardfehler"),
    "mae": ("MAE", "MAE"),
    "rmse": ("RMSE", "RMSE"),
    "aic": ("AIC", "AIC"),
    "bic": ("BIC", "BIC"),
    "loglik": ("log-likelihood", "Log-Likelihood"),
    "recency_days": ("days since the last order", "Tage seit der letzten Bestellung"),
    "segment": ("segment", "Segment"),
    "lifecycle": ("lifecycle", "Lebensphase"),
    "hidden": ("hidden", "verdeckt"),
    "type": ("type", "Typ"),
    "types": ("types of customers", "Kundentypen"),
    "satisfaction": ("satisfaction", "Zufriedenheit"),
    "first_order": ("First order, recent", "Erste Bestellung, kürzlich"),
    # what a page or a card shows
    "segments": ("segments", "Segmente"),
    "customer_orders": ("orders of customers", "Bestellungen der Kunden"),
    # the customer base: levels, columns, headlines
    "female": ("Female", "Weiblich"),
    "male": ("Male", "Männlich"),
    "diverse": ("Diverse", "Divers"),
    "unknown": ("Unknown", "Unbekannt"),
    "silent": ("Silent generation", "Stille Generation"),
    "boomers": ("Boomers", "Boomer"),
    "gen_x": ("Generation X", "Generation X"),
    "millennials": ("Millennials", "Millennials"),
    "gen_z": ("Generation Z", "Generation Z"),
    "younger": ("Younger", "Jünger"),
    "all_other": ("All other", "Alle anderen"),
    "granted": ("Granted", "Erteilt"),
    "withdrawn": ("Withdrawn", "Widerrufen"),
    "objected": ("Objected", "Widersprochen"),
    "phone": ("Phone", "Telefon"),
    "sms": ("SMS", "SMS"),
    "push": ("Push", "Push"),
    "post": ("Post", "Post"),
    "measure": ("measure", "Kennzahl"),
    "last_12_months": ("last 12 months", "letzte 12 Monate"),
    "before_12_months": ("12 months before", "12 Monate davor"),
    "change": ("change", "Veränderung"),
    "channel": ("channel", "Kanal"),
    "month": ("month", "Monat"),
    "share": ("share", "Anteil"),
    "basket": ("basket", "Bestellwert"),
    "within_30": ("2nd order: 30 days", "2. Bestellung: 30 Tage"),
    "within_60": ("60 days", "60 Tage"),
    "within_90": ("90 days", "90 Tage"),
    "within_180": ("180 days", "180 Tage"),
    "first_basket": ("first basket, mean", "1. Warenkorb, Mittel"),
    "first_basket_median": ("median", "Median"),
    "opt_ins_active": ("opt-ins, active customers", "Opt-ins, aktive Kunden"),
    "opt_ins_active_share": ("share of active customers", "Anteil der aktiven Kunden"),
    "opt_ins_all": ("opt-ins, all known persons", "Opt-ins, alle bekannten Personen"),
    "opt_ins_all_share": ("share of all known persons", "Anteil aller bekannten Personen"),
    "active_customers": ("active customers", "aktive Kunden"),
    "new_customers_12m": ("new customers in 12 months", "Neukunden in 12 Monaten"),
    "returning_rate": ("returning rate", "Wiederkehrrate"),
    "repeat_rate": ("repeat rate", "Wiederkaufrate"),
    # the experience
    "ix_now": ("IX of the shop, newest quarter", "IX des Shops, jüngstes Quartal"),
    "point_effect": ("one more IX point, demand", "ein IX-Punkt mehr, Nachfrage"),
    "point_worth": ("one more IX point, demand a year", "ein IX-Punkt mehr, Nachfrage im Jahr"),
    "evidence": ("evidence for it", "Beleg dafür"),
    "existing": ("Existing customers", "Bestandskunden"),
    "other": ("Other", "Sonstige"),
    "new_or_existing": ("New or existing", "Neu oder Bestand"),
    "feedback": ("Satisfaction (0-100, feedback form)", "Zufriedenheit (0-100, Feedbackbogen)"),
    "ix": ("IX", "IX"),
    "ix_scores": ("experience scores", "Erlebniswerte"),
    "ix_value": ("what a point is worth", "was ein Punkt wert ist"),
    "visitor": ("Visitor", "Besucher"),
    "visitor_known": ("Known", "Bekannt"),
    "visitor_new": ("New", "Neu"),
    "intent": ("Reason for the visit", "Anlass des Besuchs"),
    "browse": ("Browse", "Stöbern"),
    "buy": ("Buy", "Kaufen"),
    "service": ("Service", "Service"),
    "direct": ("Direct", "Direkt"),
    "search": ("Search", "Suche"),
    "ads": ("Advertising", "Werbung"),
    "promo": ("promotions", "Aktionen"),
    "price_index": ("prices", "Preise"),
    "marketing_spend": ("marketing", "Werbeausgaben"),
    "year": ("year", "Jahr"),
    # the state of a notebook in a run
    "done": ("Done", "Fertig"),
    "failed": ("Failed", "Fehlgeschlagen"),
    "skipped": ("Skipped", "Übersprungen"),
    "blocked": ("Blocked", "Blockiert"),
    # units of headline figures
    "customers": ("customers", "Kunden"),
    "persons": ("persons", "Personen"),
    "households": ("households", "Haushalte"),
    "orders": ("orders", "Bestellungen"),
    "revenue": ("net revenue", "Umsatz nach Retouren"),
    "revenue_share": ("share of revenue", "Anteil am Umsatz"),
    "revenue_per_customer": ("net revenue per customer", "Umsatz je Kunde"),
    "rows": ("rows", "Zeilen"),
    "days": ("days", "Tage"),
    "weeks": ("weeks", "Wochen"),
    "months": ("months", "Monate"),
    "points": ("points", "Punkte"),
}

MISSING = "–"
_LANGUAGES = ("en", "de")
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
_GAP = "\u00a0"  # a number and its unit stay on one line
_STEPS = [(10**9, "bn", "Mrd."), (10**6, "m", "Mio."), (10**3, "k", "Tsd.")]
_MONTHS = {
    "en": "January,February,March,April,May,June,July,August,September,October,November,December",
    "de": "Januar,Februar,März,April,Mai,Juni,Juli,August,September,Oktober,November,Dezember",
}


def number(x, language: str = "en", decimals: int = 0) -> str:
    """Return ``x`` with thousands separators: 1,234.5 (en) or 1.234,5 (de); missing values are "–"."""
    _check(language)
    if _missing(x):
        return MISSING
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    text = f"{abs(x):,.{decimals}f}"
    # what rounds to zero has no sign
    sign = "−" if x < 0 and text.strip("0.,") else ""
    if language == "de":
        text = text.translate(str.maketrans(",.", ".,"))
    return sign + text


def money(x, currency: str = "EUR", language: str = "en", decimals: int = 0) -> str:
    """Return an amount with its currency: €1,234,567 (en) or 1.234.567 € (de)."""
    return _with_currency(number(x, language, decimals), currency, language)


def percent(share, language: str = "en", decimals: int = 0) -> str:
    """Return a share (0.12 is twelve percent) as 12% (en) or 12 % (de)."""
    if _missing(share):
        return number(None, language)
    return number(share * 100, language, decimals) + ("%" if language == "en" else f"{_GAP}%")


def compact(x, currency: str | None = None, language: str = "en", figures: int = 0) -> str:
    """Return a large number short: $4.6m or 4,6 Mio. $; below one thousand it is written out.

    With one decimal below one hundred (4.6m, 460m), or with so many significant figures.
    """
    _check(language)
    if _missing(x) or math.isinf(x):
        text = number(x, language)
    else:
        x = float(x)
        # 999,600 is 1m, not 1,000k: the limit lies where rounding reaches the next step
        size, *short = next((step for step in _STEPS if abs(x) >= 0.9995 * step[0]), (1, "", ""))
        decimals = max(figures - len(str(int(abs(x) / size))), 0) if figures else 1
        shown = round(abs(x) / size, decimals)
        text = number(x / size, language, decimals if shown < 100 and shown % 1 else 0)
        if size > 1:
            text += short[0] if language == "en" else _GAP + short[1]
    return _with_currency(text, currency, language) if currency else text


def day(date, language: str = "en") -> str:
    """Return a date, datetime or ISO text as 30 June 2025 (en) or 30. Juni 2025 (de)."""
    _check(language)
    if _missing(date) or date == "":
        return MISSING
    if isinstance(date, str):
        date = datetime.date.fromisoformat(date[:10])
    month = _MONTHS[language].split(",")[date.month - 1]
    dot = "." if language == "de" else ""
    return f"{date.day}{dot} {month} {date.year}"


def label(key: str, language: str = "en") -> str:
    """Return the display text of a stored key; an unknown key is shown with spaces for underscores."""
    _check(language)
    if _missing(key):
        return MISSING
    if key in LABELS:
        return LABELS[key][_LANGUAGES.index(language)]
    if str(key).startswith("type_") and key[5:].isdigit():
        return f"{LABELS['type'][_LANGUAGES.index(language)]} {key[5:]}"
    return str(key).replace("_", " ")


def title(key: str, language: str = "en") -> str:
    """Return ``label(key)`` with a capital first letter, for headings, cards and table heads."""
    text = label(key, language)
    return text[:1].upper() + text[1:]


def table(frame, language: str = "en", currency: str = "EUR", **kinds: str):
    """Return a result table as texts for people: rounded, with units, stored keys spelt out.

    Parameters
    ----------
    frame : DataFrame
        One row a line; columns ``x_low`` and ``x_high`` become an interval behind ``x``.
    language, currency : str
    **kinds : str
        Column to count, share, money, decimal or label; a missing count is a group hidden for privacy. Other
        whole numbers are counts, other numbers have two decimals, texts stay.

    Returns
    -------
    DataFrame
        Of texts, with readable column names.
    """
    import pandas as pd

    def shown(column: str, value) -> str:
        kind = kinds[column]
        if _missing(value):
            return label("hidden", language) if kind == "count" else MISSING
        if isinstance(value, str):
            return label(value, language) if kind == "label" else value
        if kind == "share":
            return percent(value, language, 1)
        if kind == "money":
            return money(value, currency, language, 0 if abs(value) >= 1000 else 2)
        return number(value, language) if kind == "count" else _readable(float(value), language)

    ends = [name for column in frame for name in (f"{column}_low", f"{column}_high") if name in frame]
    texts = {}
    for column in frame.columns.difference(ends, sort=False):
        whole = pd.api.types.is_integer_dtype(frame[column])
        kinds.setdefault(column, "count" if whole else "decimal")
        cells = [shown(column, value) for value in frame[column]]
        if f"{column}_low" in ends:
            kinds |= {f"{column}_{end}": kinds[column] for end in ("low", "high")}
            pairs = zip(frame[f"{column}_low"], frame[f"{column}_high"], strict=True)
            between = " bis " if language == "de" else " to "
            ranges = [between.join(shown(f"{column}_low", end) for end in pair) for pair in pairs]
            cells = [
                text if MISSING in interval else f"{text} ({interval})"
                for text, interval in zip(cells, ranges, strict=True)
            ]
        texts[title(column, language)] = cells
    return pd.DataFrame(texts)


def say(text: str):
    """Return Markdown for display; two amounts in dollars do not become a formula."""
    from IPython.display import Markdown

    return Markdown(text.replace("$", r"\$"))


def apply(language: str = "en") -> None:
    """Set Matplotlib, inline figures and pandas tables to the house style for a report in ``language``."""
    _check(language)
    import matplotlib as mpl
    import pandas as pd

    mpl.rcParams.update(
        {
            "figure.figsize": (9, 4.5),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "savefig.bbox": "tight",
            "font.family": "sans-serif",
            "font.size": 11,
            "axes.titlesize": 13,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.titlepad": 12,
            "axes.labelsize": 11,
            "axes.labelcolor": MUTED,
            "axes.edgecolor": "#c3cad0",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.prop_cycle": mpl.cycler(color=PALETTE),
            "grid.color": "#e6eaed",
            "grid.linewidth": 0.8,
            "text.color": INK,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "xtick.major.size": 0,
            "ytick.major.size": 0,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "patch.edgecolor": "none",
        }
    )
    pd.set_option("display.float_format", lambda x: _readable(x, language))
    pd.set_option("display.max_colwidth", 400)
    pd.set_option("display.html.use_mathjax", False)  # two dollar amounts in a row are no formula
    _inline_at_double_resolution()


def axis_money(axis, currency: str = "EUR", language: str = "en") -> None:
    """Label a Matplotlib axis (``ax.xaxis`` or ``ax.yaxis``) with short amounts such as €2m."""
    axis.set_major_formatter(lambda x, _: compact(x, currency, language))


def axis_number(axis, language: str = "en", decimals: int = 0) -> None:
    """Label a Matplotlib axis (``ax.xaxis`` or ``ax.yaxis``) with separated numbers."""
    axis.set_major_formatter(lambda x, _: number(x, language, decimals))


def axis_percent(axis, language: str = "en", decimals: int = 0) -> None:
    """Label a Matplotlib axis (``ax.xaxis`` or ``ax.yaxis``) of shares with percentages."""
    axis.set_major_formatter(lambda x, _: percent(x, language, decimals))


def _with_currency(text: str, currency: str, language: str) -> str:
    if text == MISSING:
        return text
    symbol = _SYMBOLS.get(currency, currency)
    if language == "de":
        return f"{text}{_GAP}{symbol}"
    sign, digits = ("−", text[1:]) if text.startswith("−") else ("", text)
    return f"{sign}{symbol}{digits}" if len(symbol) == 1 else f"{sign}{symbol}{_GAP}{digits}"


def _readable(x: float, language: str) -> str:
    """Return a table cell: no decimals from one thousand on, two below, two figures below 0.1."""
    size = abs(x)
    if size >= 1000 or float(x).is_integer():
        return number(x, language)
    if size >= 0.1:
        return number(x, language, 2)
    if size >= 1e-6:
        return number(x, language, 1 - math.floor(math.log10(size)))
    return f"{x:.1e}"


def _inline_at_double_resolution() -> None:
    """Ask a running notebook for 2x PNG figures; outside of one there is nothing to set."""
    from IPython import get_ipython

    if get_ipython() is not None and hasattr(get_ipython(), "kernel"):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")


def _missing(x) -> bool:
    try:
        return x is None or bool(x != x)
    except TypeError:  # pandas.NA has no truth value
        return True


def _check(language: str) -> None:
    if language not in _LANGUAGES:
        hint = did_you_mean(str(language), _LANGUAGES)
        raise WaageError(f"language must be 'en' or 'de'. Got {language!r} instead{hint}.")
