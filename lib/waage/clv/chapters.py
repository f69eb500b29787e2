"""Chapters of the report and tables as readers see them, in English and German."""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from waage import style
from waage.clv.backtest import as_used
from waage.clv.spend import SpendModel
from waage.clv.totals import hide_small
from waage.privacy import mask_small

_CHAPTERS = {
    "reading": (
        "",
        "A purchase day is a day with at least one order. A single customer's expected value may lie above the upper "
        "end of the own interval: most futures of a customer who has probably left hold nothing. A total's interval "
        "knows of chance, of the models' uncertainty, and of how far such forecasts were off before. Totals and sums "
        "by group are also moved by what past forecasts missed in one direction; the values of single customers in the "
        "table `clv` are not, and add up to more or less by that.",
        "",
        "Ein Kauftag ist ein Tag mit mindestens einer Bestellung. Der erwartete Wert eines einzelnen Kunden kann über "
        "dem oberen Ende seines Intervalls liegen: Wer wahrscheinlich gegangen ist, bringt in den meisten Fällen "
        "nichts mehr. Das Intervall einer Summe kennt den Zufall, die Unsicherheit der Modelle und wie weit solche "
        "Prognosen früher daneben lagen. Summen, auch je Gruppe, sind zudem um das verschoben, was frühere Prognosen "
        "in einer Richtung verfehlten; die Werte einzelner Kunden in der Tabelle `clv` sind es nicht und ergeben "
        "zusammen um so viel mehr oder weniger.",
    ),
    "uses": (
        "What to do with it",
        "Where the value lies and what is endangered: what customers would be worth if they were still active, times "
        "the probability that they are not. A customer counts in each type with its probability, from behaviour alone.",
        "Was damit zu tun ist",
        "Wo der Wert liegt und was davon gefährdet ist: was Kunden wert wären, wenn sie noch aktiv sind, mal der "
        "Wahrscheinlichkeit, dass sie es nicht sind. In jedem Typ zählt ein Kunde mit dessen Wahrscheinlichkeit, "
        "allein aus dem Verhalten.",
    ),
    "outlook": (
        "The coming weeks",
        "Purchase days and net revenue of the customers known today and of those yet to be won, at the pace of the "
        "last 52 weeks; past errors of such forecasts move it and widen its interval. A plan is held against the whole "
        "company: what anonymous purchases and persons who object to profiling brought of the last 52 weeks' revenue "
        "is added in the same share.",
        "Die kommenden Wochen",
        "Kauftage und Umsatz der heute bekannten Kunden und der noch zu gewinnenden, im Tempo der letzten 52 Wochen; "
        "frühere Fehler solcher Prognosen verschieben sie und weiten ihr Intervall. Ein Plan wird am ganzen "
        "Unternehmen gemessen: Was anonyme Käufe und Personen, die der Profilbildung widersprechen, zum Umsatz der "
        "letzten 52 Wochen beitrugen, kommt im selben Verhältnis hinzu.",
    ),
    "lists": (
        "Whom to win back, whom to court",
        "The lists themselves are in the table `clv`, which holds *value_endangered*, *clv* and *T* (days since the "
        "first purchase) of every customer; here is whom they are made of.",
        "Wen zurückgewinnen, um wen werben",
        "Die Listen selbst stehen in der Tabelle `clv`, mit *value_endangered*, *clv* und *T* (Tage seit dem ersten "
        "Kauf) jedes Kunden; hier steht, aus wem sie bestehen.",
    ),
    "newcomers": (
        "What a new customer is worth",
        "Margin of the first order and of all that follows, before the cost of winning the customer: what may be spent "
        "on it at most. By quarter and channel of the first purchase; what follows the first order of a group not yet "
        "watched for a year is that of all customers. At the beginning of the data customers of long standing look "
        "new.",
        "Was ein neuer Kunde wert ist",
        "Marge der ersten Bestellung und aller folgenden, vor den Kosten der Gewinnung: was sie höchstens kosten darf. "
        "Nach Quartal und Kanal des ersten Kaufs; was auf die erste Bestellung folgt, ist bei Gruppen, die noch kein "
        "Jahr beobachtet sind, das aller Kunden. Am Anfang der Daten sehen alte Kunden wie neue aus.",
    ),
    "backtest": (
        "Would it have worked? A test on weeks the models did not see",
        "The models learn on the first part of the history and forecast the rest, beside forecasts that need no such "
        "model.",
        "Hätte es funktioniert? Ein Test an Wochen, die die Modelle nicht kannten",
        "Die Modelle lernen am ersten Teil der Historie und sagen den Rest vorher, neben Prognosen, die kein solches "
        "Modell brauchen.",
    ),
    "metrics": (
        "",
        "The interval of a total's error knows of chance and of the models' uncertainty alone. "
        "*MAE* and *RMSE* are purchase days a customer; *Gini* and *Spearman* say how well customers are ranked (1 is "
        "perfect); *top tenth* is the share of purchases in the top predicted tenth; *coverage* the share of customers "
        "inside their own set of likely counts, beside what these sets hold if the model is right: more than their "
        "name, as nobody buys on half a day; the *log score* is the mean log probability of what happened (higher is "
        "better).",
        "",
        "Das Intervall des Fehlers einer Summe kennt nur den Zufall und die Unsicherheit der Modelle. "
        "*MAE* und *RMSE* sind Kauftage je Kunde; *Gini* und *Spearman* sagen, wie gut die Kunden gereiht sind (1 ist "
        "vollkommen); *bestes Zehntel* ist der Anteil der Käufe im Zehntel mit der höchsten Prognose; *Abdeckung* der "
        "Anteil der Kunden in ihrer eigenen Menge wahrscheinlicher Anzahlen, daneben, was diese Mengen enthalten, wenn "
        "das Modell stimmt: mehr als ihr Name, da niemand an halben Tagen kauft; der *Log-Score* ist die mittlere "
        "logarithmierte Wahrscheinlichkeit dessen, was kam (höher ist besser).",
    ),
    "groups": (
        "The test by group",
        "Purchase days a customer in the test, by quarter of the first purchase and by segment on the last day the "
        "models knew, with thresholds from before the test.",
        "Der Test nach Gruppen",
        "Kauftage je Kunde im Test, nach Quartal des ersten Kaufs und nach Segment am letzten Tag, den die Modelle "
        "kannten, mit Grenzen aus der Zeit vor dem Test.",
    ),
    "models": (
        "The models",
        "BG/NBD (Fader, Hardie and Lee 2005), MBG/NBD (Batislam, Denizel and Filiztekin 2007) and Pareto/NBD "
        "(Schmittlein, Morrison and Colombo 1987) on unique histories weighted by customers, Gamma-Gamma (Fader and "
        "Hardie 2013) for the value of a purchase day, by class of frequency where the two are related. With a "
        "calendar, time runs by the season. BG/NBD is not chosen, as it takes every one-time buyer for alive.",
        "Die Modelle",
        "BG/NBD (Fader, Hardie und Lee 2005), MBG/NBD (Batislam, Denizel und Filiztekin 2007) und Pareto/NBD "
        "(Schmittlein, Morrison und Colombo 1987) auf verschiedenen Historien, gewichtet mit ihren Kunden; Gamma-Gamma "
        "(Fader und Hardie 2013) für den Wert eines Kauftags, je Häufigkeitsklasse, wo beide zusammenhängen. Mit "
        "Kalender läuft die Zeit nach der Saison. BG/NBD wird nicht gewählt, da es jeden Einmalkäufer für aktiv hält.",
    ),
    "spend": (
        "",
        "Value of a purchase day by tenth of the repeat buyers, from those who buy seldom to those who buy often:",
        "",
        "Wert eines Kauftags je Zehntel der Wiederkäufer, von den seltenen zu den häufigen:",
    ),
    "maps": (
        "What the model makes of a history",
        "The maps show customers whose first purchase lies as far back as the median customer's. The last picture is "
        "no real person: a customer with the median number of purchase days, who then stays away for as long again.",
        "Was das Modell aus einer Historie macht",
        "Die Karten zeigen Kunden, deren erster Kauf so lange her ist wie der des mittleren Kunden (Median). Das "
        "letzte Bild ist kein wirklicher Mensch: ein Kunde mit mittlerer Zahl von Kauftagen, der danach ebenso lange "
        "wegbleibt.",
    ),
    "truth": ("Against the known truth", "", "Gegen die bekannte Wahrheit", ""),
}
_SUMS = ("value_12m", "clv", "endangered", "revenue", "revenue_all", "plan")
_LOOKS = (
    "The same look from {n} earlier days, over {days} days each. How far totals were off there moves the "
    "totals of this report and widens their intervals.",
    "Derselbe Blick von {n} früheren Tagen aus, über je {days} Tage. Wie weit Summen dabei daneben lagen, "
    "verschiebt die Summen dieses Berichts und weitet ihre Intervalle.",
)
_LOOK = (
    "The same look from one earlier day, over {days} days. How far its total was off moves the totals of this "
    "report and widens their intervals.",
    "Derselbe Blick von einem früheren Tag aus, über {days} Tage. Wie weit die Summe dabei daneben lag, "
    "verschiebt die Summen dieses Berichts und weitet ihre Intervalle.",
)
_UNKNOWN = (
    " Where less than two years of history came before, the model had no season.",
    " Wo weniger als zwei Jahre Historie vorausgingen, kannte das Modell keine Saison.",
)
_DECIMALS = {"total": 0, "forecast": 0, "spearman": 3, "gini": 3, "log_score": 3, "bias_pct": 1}
_KINDS = {
    "money": ("clv_per_customer", "first_margin", "order_value", "value", "mean"),
    "count": ("customers", "active", "orders", "orders_new", "actual_total", "frequency_from"),
    "share": ("clv_share", "plan_gap", "top_decile", "coverage_80", "mass_80", "coverage_95", "mass_95"),
    "label": ("model",),
}
#: Heads of columns; where a name means something else elsewhere, `style.LABELS` is not the place.
_HEADS = {
    "group": ("Group", "Gruppe"),
    "active": ("Active", "Aktiv"),
    "clv_share": ("Share", "Anteil"),
    "clv_per_customer": ("per customer", "je Kunde"),
    "endangered": ("Endangered", "Gefährdet"),
    "weeks": ("Weeks", "Wochen"),
    "orders": ("Purchase days", "Kauftage"),
    "orders_new": ("of future customers", "davon künftige Kunden"),
    "revenue_all": ("Net revenue of the whole company", "Umsatz des ganzen Unternehmens"),
    "plan": ("Plan", "Plan"),
    "plan_gap": ("Against plan", "Gegen Plan"),
    "first_margin": ("Margin of the first order", "Marge der ersten Bestellung"),
    "later_orders": ("Later purchase days (discounted)", "Spätere Kauftage (abgezinst)"),
    "order_value": ("Value of a purchase day", "Wert eines Kauftags"),
    "value": ("Value of a new customer (margin)", "Wert eines neuen Kunden (Marge)"),
    "window": ("Forecast made on", "Prognose vom"),
    "total": ("Total (95% interval, past errors included)", "Summe (95-%-Intervall mit früheren Fehlern)"),
    "forecast": ("Forecast", "Prognose"),
    "actual_total": ("Came", "Gekommen"),
    "bias_pct": ("Error of the total (%)", "Fehler der Summe (%)"),
    "coverage_80": ("Inside 80% sets", "In 80-%-Mengen"),
    "mass_80": ("these hold", "diese enthalten"),
    "coverage_95": ("Inside 95% sets", "In 95-%-Mengen"),
    "mass_95": ("those hold", "jene enthalten"),
    "chosen": ("Chosen", "Gewählt"),
    "reason": ("Reason", "Grund"),
    "parameters": ("Parameters (95% interval)", "Parameter (95-%-Intervall)"),
    "frequency_from": ("Repeat purchase days from", "Wiederkauftage von"),
    "mean": ("Value of a purchase day (95% interval)", "Wert eines Kauftags (95-%-Intervall)"),
    "actual": ("Came (95% interval)", "Gekommen (95-%-Intervall)"),
}
_LISTS = {
    "win_back": (
        "**Win back:** the {n} customers with most value endangered stand for {sum} of it; on average they are still "
        "active with a probability of {p_alive}.",
        "**Zurückgewinnen:** Die {n} Kunden mit dem meisten gefährdeten Wert stehen für {sum} davon; im Mittel sind "
        "sie mit einer Wahrscheinlichkeit von {p_alive} noch aktiv.",
    ),
    "newcomers": (
        "**Court:** the {n} most valuable newcomers are worth {sum} together; on average they order within 90 days "
        "with a probability of {p_order}.",
        "**Umwerben:** Die {n} wertvollsten Neukunden sind zusammen {sum} wert; im Mittel bestellen sie mit einer "
        "Wahrscheinlichkeit von {p_order} innerhalb von 90 Tagen.",
    ),
    "few_win_back": (
        "**Win back:** there are too few customers with value endangered to show.",
        "**Zurückgewinnen:** Es gibt zu wenige Kunden mit gefährdetem Wert, um sie zu zeigen.",
    ),
    "few_newcomers": (
        "**Court:** there are too few newcomers to show.",
        "**Umwerben:** Es gibt zu wenige Neukunden, um sie zu zeigen.",
    ),
}
_REASONS = {
    "best log score in the test": "bester Log-Score im Test",
    "as good as others in the test, best AIC": "im Test so gut wie andere, bestes AIC",
    "one-time buyers count as alive": "Einmalkäufer gelten als aktiv",
}


_WEAK = ("weakly known", "schwach bestimmt")
#: An interval over so many times its lower end says no more than that; a judgement.
WEAK = 1000


def chapter(key: str, language: str = "en"):
    """Return a chapter's heading and what to know before reading it, for display."""
    title, text = _CHAPTERS[key][2:] if language == "de" else _CHAPTERS[key][:2]
    return style.say(f"## {title}\n\n{text}".rstrip() if title else text)


def readable(frame: pd.DataFrame, language: str = "en", currency: str = "EUR") -> pd.DataFrame:
    """Return a result of this subject as texts: money, shares, counts and labels by the names of the columns.

    Columns without any figure are left out.
    """
    empty = [name for name in frame if frame[name].isna().all() and name not in ("customers", "clv", "value")]
    empty = [name for name in empty if not name.endswith(("_low", "_high"))]
    ends = [f"{name}_{side}" for name in empty for side in ("low", "high")]
    frame = frame.drop(columns=[*empty, *(name for name in ends if name in frame)])
    frame = _rounded(frame, language, currency)
    if "group" in frame:
        frame["group"] = [style.title(group, language) for group in frame["group"]]
    side = ("en", "de").index(language)
    heads = {name: _HEADS[name][side] for name in frame if name in _HEADS}
    ends = {f"{name}_{end}": f"{head}_{end}" for name, head in heads.items() for end in ("low", "high")}
    kinds = {heads.get(name, name): kind for kind, names in _KINDS.items() for name in names if name in frame}
    return style.table(frame.rename(columns=heads | ends), language, currency, **kinds)


def _rounded(frame: pd.DataFrame, language: str, currency: str) -> pd.DataFrame:
    """Write sums of money short, with their intervals, and figures whose third decimal counts with three."""
    frame, to = frame.copy(), " bis " if language == "de" else " to "
    for name in (*_SUMS, *_DECIMALS):
        if name not in frame or (name == "revenue" and "weeks" not in frame):
            continue
        if name in _DECIMALS:
            write = [lambda value, digits=_DECIMALS[name]: style.number(value, language, digits)] * 2
        else:
            write = [lambda value, unit=unit: style.compact(value, unit, language) for unit in (currency, None)]
        texts = [write[0](value) for value in frame[name]]
        if f"{name}_low" in frame:
            ends = [[write[1](end) for end in frame.pop(f"{name}_{side}")] for side in ("low", "high")]
            texts = [text if style.MISSING in low else f"{text} ({low}{to}{high})"
                     for text, low, high in zip(texts, *ends, strict=True)]  # fmt: skip
        frame[name] = texts
    return frame


def list_summary(name: str, found: pd.DataFrame, *, min_cell: int, currency: str = "EUR", language: str = "en") -> str:
    """Say in a sentence whom a list is made of: no row of it is shown, as a row is a person.

    Parameters
    ----------
    name : {"win_back", "newcomers"}
    found : DataFrame
        From `churn_list` or `newcomer_list`.
    min_cell : int
        A shorter list is not spoken of.
    currency, language : str
    """
    side = ("en", "de").index(language)
    if len(found) < max(min_cell, 1):
        return _LISTS[f"few_{name}"][side]
    column = {"win_back": "value_endangered", "newcomers": "clv"}[name]
    figures = {"n": style.number(len(found), language), "sum": style.compact(found[column].sum(), currency, language)}
    if name == "win_back":
        figures["p_alive"] = style.percent(found["p_alive"].mean(), language)
    else:
        figures["p_order"] = style.percent(found["p_order_90d"].mean(), language)
    return _LISTS[name][side].format(**figures)


def backtest_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Return a backtest as one row a forecast, means over windows: model and the metrics readers look at.

    The total has the interval that knows of past errors (without them: of chance and parameters), its error that of
    chance and parameters.
    """
    metrics = ["total", "bias_pct", "mae", "rmse", "spearman", "gini", "top_decile"]
    wide, low, high = (tested.groupby(["model", "metric"])[side].mean().unstack() for side in ("value", "low", "high"))
    for side, ends in (("low", low), ("high", high)):
        wide[f"total_{side}"] = ends["total_calendar" if "total_calendar" in ends else "total"]
        wide[f"bias_pct_{side}"] = ends["bias_pct"]
    ends = [f"{name}_{side}" for name in ("total", "bias_pct") for side in ("low", "high")]
    return wide.reindex(columns=[*metrics, *ends]).rename_axis(columns=None).reset_index()


def coverage_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Return what a backtest says of single customers' distributions, which models alone have: one row a model."""
    metrics = ["coverage_80", "mass_80", "coverage_95", "mass_95", "log_score"]
    wide = tested.groupby(["model", "metric"])["value"].mean().unstack().reindex(columns=metrics)
    return wide.dropna(how="all").rename_axis(columns=None).reset_index()


def looks_back(past: pd.DataFrame, model: str, days: int, language: str = "en") -> list:
    """Return what to show of a rolling backtest: a sentence and a table, one row a look; nothing where there is none.

    Parameters
    ----------
    past : DataFrame
        From `rolling_backtest`.
    model : str
        The forecast that is shown, beside the Gini of the same rate; before a season was known, the one without.
    days : int
        Length of the windows.
    language : {"en", "de"}
    """
    side, unknown = ("en", "de").index(language), past.loc[past["model"] != "zero", "window"].nunique()
    unknown -= past.loc[past["model"] == model, "window"].nunique()
    past = as_used(past, model)
    wide = past.pivot(index="window", columns=["model", "metric"], values=["value", "low", "high"])
    if model not in past["model"].to_numpy():
        return []
    table = pd.DataFrame({"window": [style.day(date.fromisoformat(day), language) for day in wide.index]})
    for name, metric in (("forecast", "total"), ("actual_total", "actual_total"), ("bias_pct", "bias_pct")):
        table[name] = wide["value", model, metric].to_numpy()
        if name != "actual_total":
            table[[f"{name}_low", f"{name}_high"]] = wide[[(end, model, metric) for end in ("low", "high")]].to_numpy()
    for name in (model, "same_rate"):
        ginis = wide["value", name, "gini"]
        table[f"Gini: {style.label(name, language)}"] = [style.number(value, language, 3) for value in ginis]
    text = (_LOOK if len(table) == 1 else _LOOKS)[side].format(n=len(table), days=days)
    if unknown:
        text += _UNKNOWN[side]
    return [style.say(text), readable(table, language)]


def group_table(
    groups: pd.DataFrame, models: Sequence[str], *, min_cell: int, others: int = 0, language: str = "en"
) -> pd.DataFrame:
    """Return `holdout_by_group` as one row a group: customers, what came with its interval, each forecast.

    Parameters
    ----------
    groups : DataFrame
        From `holdout_by_group`.
    models : sequence of str
        Which forecasts to show.
    min_cell, others : int
        As in `waage.clv.totals.hide_small`.
    language : {"en", "de"}
    """
    keys = ["group", "n", "actual", "low", "high"]
    wide = groups.pivot(index=keys, columns="model", values="predicted")[list(models)]
    wide = wide.rename(columns=lambda name: style.label(name, language)).rename_axis(columns=None).reset_index()
    wide = wide.rename(columns={"n": "customers", "low": "actual_low", "high": "actual_high"})
    wide = hide_small(wide, "customers", *wide.columns[2:], min_cell=min_cell, others=others)
    # Sorted when masked, so that its place says nothing of a hidden group.
    return wide if groups["by"].iloc[0] == "cohort" else wide.sort_values("actual", ascending=False, kind="stable")


def choice_table(choice: pd.DataFrame, language: str = "en") -> pd.DataFrame:
    """Return the choice of a model as a table to read."""
    mark = {True: "✓", False: ""}
    table = choice.assign(chosen=choice["chosen"].map(mark))
    if language == "de":
        table["reason"] = table["reason"].map(_REASONS).fillna("")
    return readable(table, language)


def model_table(summary: pd.DataFrame, language: str = "en") -> pd.DataFrame:
    """Return fitted models as one row each: the parameters with their intervals in one cell, and the likelihood.

    Parameters
    ----------
    summary : DataFrame
        Summaries of models: model, parameter, estimate, low, high.
    """
    to = " bis " if language == "de" else " to "
    rows = []
    for name, part in summary.groupby("model", sort=False):
        fit = part.set_index("parameter")
        cells = []
        for parameter, row in fit.drop(index=["loglik", "aic", "bic"], errors="ignore").iterrows():
            if not row["high"] < WEAK * row["low"]:
                cells.append(f"{parameter} {_WEAK[language == 'de']}")
                continue
            estimate, low, high = (_short(row[end], language) for end in ("estimate", "low", "high"))
            cells.append(f"{parameter} {estimate} ({low}{to}{high})")
        # By the season's clock a likelihood has another unit: it must not stand beside the others.
        figures = {} if name.endswith("_calendar") else {key: fit["estimate"][key] for key in ("loglik", "aic", "bic")}
        rows.append({"model": name, "parameters": "; ".join(cells)} | figures)
    return readable(pd.DataFrame(rows), language)


def spend_table(spend: SpendModel, currency: str, language: str = "en", min_cell: int = 0) -> pd.DataFrame:
    """Return the value of a purchase day by tenth of the repeat buyers, as a table to read."""
    table = spend.by_decile.rename(columns={"n": "customers", "low": "mean_low", "high": "mean_high"})
    table = table.drop(columns=["decile", "frequency_to"])  # the last one's upper end is a single customer's
    table = mask_small(table, "customers", "mean", "mean_low", "mean_high", min_cell=min_cell)
    return readable(table, language, currency)


def _short(value: float, language: str) -> str:
    """Return a number with three figures that count."""
    size = abs(value)
    return style.number(value, language, 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 4)
