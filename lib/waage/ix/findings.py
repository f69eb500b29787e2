"""What the report says: sentences made of the results, in English and German."""

import numpy as np
import pandas as pd

from waage import style
from waage.errors import told
from waage.ix.link import Link
from waage.ix.linkage import Linkage, found_sentences
from waage.ix.measurement import Measurement, compared
from waage.ix.value import points_needed

_Z = 1.96


def first_finding(found: Linkage, language: str = "en") -> str:
    """Return the sentence for the board: what a point is worth, or why that cannot be said."""
    return f"**{found_sentences(found, language)[0]}**"


def limits_finding(found: Linkage, language: str = "en") -> str:
    """Return what the sentence for the board does not say."""
    return found_sentences(found, language)[1]


def level_finding(line: pd.DataFrame, weeks: int = 13, language: str = "en") -> str:
    """Return where the IX of the shop stands and how it moved, from `shop_line`."""
    now, before = compared(line, weeks)
    mean, error = now["ix"].mean(), np.sqrt(now["variance"].sum(skipna=False)) / len(now)
    facts = {"weeks": len(now), "ix": style.number(mean, language, 1), "half": style.number(_Z * error, language, 1)}
    text = _WORDS["level"][language == "de"].format(**facts)
    if not len(before):
        return text
    move = mean - before["ix"].mean()
    half = _Z * np.hypot(error, np.sqrt(before["variance"].sum(skipna=False)) / len(before))
    shown = {
        "move": f"{'+' if move > 0 else ''}{style.number(move, language, 1)}",
        "half": style.number(half, language, 1),
        "than": _WORDS["year_before" if _year_apart(now, before) else "before"][language == "de"],
    }
    key = "moved" if abs(move) > half else "not_moved"
    return text + " " + _WORDS[key][language == "de"].format(**shown)


def headlines(found: Linkage, line: pd.DataFrame, weeks: int = 13, language: str = "en") -> list[dict]:
    """Return the figures of the report's index, as `Study.headline` takes them."""
    now, _ = compared(line, weeks)
    mean, half = now["ix"].mean(), _Z * np.sqrt(now["variance"].sum(skipna=False)) / len(now)
    told = [{"key": "ix_now", "value": round(mean, 1), "unit": "points", "low": mean - half, "high": mean + half}]
    if not found:
        return [*told, {"key": "point_worth", "value": _WORDS["unknown"][language == "de"]}]
    parts = found.value.parts().set_index("outcome").loc["demand"]
    share = {"value": parts["change"], "low": parts["low"], "high": parts["high"]}
    told.append({"key": "point_effect", "unit": "%"} | share)
    if found.value.supports(1.0):
        amounts = {name: value * found.value.yearly_demand for name, value in share.items()}
        told.append({"key": "point_worth", "unit": found.value.currency} | amounts)
    else:
        told.append({"key": "point_worth", "value": _WORDS["unknown"][language == "de"]})
    return [*told, {"key": "evidence", "value": found.checks.words(language)}]


def cautions(found: Linkage, language: str = "en") -> list[str]:
    """Return the warnings of the report's index: a refusal, checks that failed, what was left out."""
    if not found:
        return [found.reasons[language == "de"]]
    table = found.check_table
    failed = list(table.loc[table["verdict"] == "failed", "sentence_de" if language == "de" else "sentence"])
    return [*failed, *(told(note, language) for note in found.panel.notes)]


def why_finding(changes: pd.DataFrame, labels: dict[str, str], language: str = "en") -> str:
    """Return why the IX moved: the item that moved it most its way, beside its noise; from `shop_changes`."""
    total = changes.set_index("part")
    items = changes[~changes["part"].isin(["all", "mix"])]
    way = np.sign(total.loc["all", "change"]) or 1.0
    first = items.iloc[(way * items["change"]).argmax()]

    def shown(x: float) -> str:
        return f"{'+' if x > 0 else ''}{style.number(x, language, 2)}"

    facts = {
        "all": shown(total.loc["all", "change"]),
        "half": style.number(_Z * total.loc["all", "se"], language, 2),
        "item": labels.get(first["part"], style.title(first["part"], language)),
        "change": shown(first["change"]),
        "mix": shown(total.loc["mix", "change"]),
    }
    noise = abs(total.loc["all", "change"]) <= _Z * total.loc["all", "se"]
    return _WORDS["why_noise" if noise else "why"][language == "de"].format(**facts)


def calculator_finding(found: Linkage, points: float, amount: float, language: str = "en") -> str:
    """Return what some points are worth, and how many points an amount takes (0: one percent of demand)."""
    amount = amount or 0.01 * found.value.yearly_demand
    table = found.value.table(points)
    shop = table[table["unit"] == "all"].set_index("measure")
    currency, german = found.value.currency, language == "de"

    def money(x: float) -> str:
        return style.compact(x, currency, language)

    facts = {"points": style.number(points, language, 1), "amount": money(amount)}
    if shop["supported"].all():
        for name in ("visits", "orders"):
            facts[name] = style.compact(shop.loc[name, "value"], None, language)
        for name in ("demand", "net_revenue", "margin"):
            facts[name] = money(shop.loc[name, "value"])
        facts |= {"low": money(shop.loc["demand", "low"]), "high": money(shop.loc["demand", "high"])}
        texts = [_WORDS["worth"][german].format(**facts)]
    else:
        texts = [_WORDS["beyond"][german].format(**facts)]
    row = points_needed(shop.reset_index(), amount).set_index("measure").loc["demand"]
    facts |= {name: style.number(row[name], language, 1) for name in ("needed", "needed_low", "needed_high", "visible")}
    key = "needs" if row["supported"] else "needs_beyond" if row["effect"] > 0 else "needs_none"
    texts.append(_WORDS[key][german].format(**facts))
    if row["supported"] and not row["seen"]:
        texts.append(_WORDS["unseen"][german].format(**facts))
    return " ".join(texts)


def response_finding(own: Measurement, rates: pd.DataFrame | None, audit: pd.DataFrame | None, language="en") -> str:
    """Return who answers: response rate over time, how alike units answer, and whether buyers answer more."""
    german, texts = language == "de", []
    if rates is None:
        texts.append(_WORDS["no_rates"][german])
    else:
        first, last = (part["completed"].sum() / part["invited"].sum() for part in (rates.head(26), rates.tail(26)))
        shown = {"first": style.percent(first, language, 1), "last": style.percent(last, language, 1)}
        texts.append(_WORDS["rates"][german].format(**shown))
    gap = own.scores.mix.assign(gap=lambda t: (t["before"] - t["population"]).abs()) if len(own.scores.mix) else None
    if gap is None:
        texts.append(_WORDS["no_mix"][german])
    else:
        row = gap.loc[gap["gap"].idxmax()]
        facts = {"trait": row["trait"], "level": style.label(row["level"], language)}
        facts |= {name: style.percent(row[name], language) for name in ("before", "population", "after")}
        texts.append(_WORDS["mix"][german].format(**facts))
    if audit is None:
        texts.append(_WORDS["no_audit"][german])
    else:
        row = audit.iloc[0]
        facts = {
            "known": style.percent(row["known"], language, 1),
            "own": style.percent(row["respondents"], language, 1),
        }
        facts |= {"se": style.number(abs(row["gap_se"]), language, 1)}
        texts.append(_WORDS["audit" if abs(row["gap_se"]) > _Z else "audit_fine"][german].format(**facts))
    return " ".join(texts)


def asymmetry_finding(table: pd.DataFrame, language: str = "en") -> str:
    """Return whether falls weigh more than rises, from `asymmetry`."""
    rows = table.set_index("side")
    facts = {side: style.percent(rows.loc[side, "long_run"], language, 2) for side in ("loss", "gain")}
    facts["p"] = style.number(rows.loc["difference", "p_value"], language, 2)
    key = "asymmetric" if rows.loc["difference", "p_value"] < 0.05 else "symmetric"
    return _WORDS[key][language == "de"].format(**facts)


def truth_finding(found: Linkage, truth: pd.DataFrame, language: str = "en") -> str:
    """Return how the estimate of a simulated study compares with its truth: outcome, long_run, shop_long_run."""
    if not found:
        return ""
    real, own = truth.set_index("outcome"), found.effects.query("headline").set_index("outcome")
    inside = [o for o in own.index if own.loc[o, "low"] <= real.loc[o, "long_run"] <= own.loc[o, "high"]]
    facts = {
        "truth": style.percent(real.loc["demand", "long_run"], language, 2),
        "own": style.percent(own.loc["demand", "long_run"], language, 2),
        "shop": style.percent(real.loc["demand", "shop_long_run"], language, 2),
        "inside": len(inside),
        "of": len(own),
        "weeks": style.number((found.link.lags + 1) * found.link.block_weeks, language),
        "year": style.compact(
            found.value.yearly_demand * np.expm1(real.loc["demand", "shop_long_run"]), found.value.currency, language
        ),
    }
    return _WORDS["truth"][language == "de"].format(**facts)


def truth_scores(own: Measurement, truth: pd.DataFrame, language: str = "en") -> str:
    """Return how close the score of a simulated study is to the true experience: unit, week, ix."""
    both = own.scores.table.assign(week=lambda t: pd.to_datetime(t["week"]))
    both = both.merge(truth.assign(week=pd.to_datetime(truth["week"])), on=["unit", "week"], suffixes=("", "_true"))
    error = both["ix"] - both["ix_true"]
    facts = {
        "bias": style.number(error.mean(), language, 2),
        "raw": style.number((both["raw"] - both["ix_true"]).mean(), language, 2),
        "inside": style.percent((error.abs() <= _Z * np.sqrt(both["variance"])).mean(), language),
    }
    return _WORDS["truth_scores"][language == "de"].format(**facts)


def _year_apart(now: pd.DataFrame, before: pd.DataFrame) -> bool:
    return now["week"].iloc[-1] - before["week"].iloc[-1] == pd.Timedelta(weeks=52)


def lag_note(found: Link, language: str = "en") -> str:
    """Return over how many weeks of delay the effect is summed."""
    weeks = (found.lags + 1) * found.block_weeks
    return _WORDS["lag_note"][language == "de"].format(weeks=style.number(weeks, language))


def check_sentences(found: Linkage, count: int = 5, language: str = "en") -> str:
    """Return the checks that matter most as a list in words; where the link is refused, nothing."""
    if not found:
        return ""
    return "\n".join(f"- {text}" for text in found.checks.first_page(count, language))


_WORDS = {
    "unknown": ("cannot be said", "lässt sich nicht sagen"),
    "level": (
        "The IX of the shop stands at {ix} of 100 (mean of {weeks} weeks, ± {half}).",
        "Der IX des Shops liegt bei {ix} von 100 (Mittel aus {weeks} Wochen, ± {half}).",
    ),
    "moved": (
        "That is {move} points (± {half}) against {than}.",
        "Das sind {move} Punkte (± {half}) gegenüber {than}.",
    ),
    "not_moved": (
        "Against {than} it has not moved: {move} points (± {half}).",
        "Gegenüber {than} hat er sich nicht bewegt: {move} Punkte (± {half}).",
    ),
    "year_before": ("the same weeks a year before", "denselben Wochen im Vorjahr"),
    "before": ("the weeks before", "den Wochen davor"),
    "why": (
        "The IX moved by {all} points (± {half}); “{item}” contributed most ({change}). Visitors who answered were "
        "others than before: unweighted, that alone would have moved the mean by {mix}.",
        "Der IX bewegte sich um {all} Punkte (± {half}); am meisten trug „{item}“ bei ({change}). "
        "Es antworteten andere "
        "Besucher als zuvor: ungewichtet hätte allein das den Mittelwert um {mix} bewegt.",
    ),
    "why_noise": (
        "The IX moved by {all} points, no more than its noise (± {half}): do not explain it. Most was "
        "contributed by “{item}” ({change}); unweighted, other visitors alone would have moved the mean by {mix}.",
        "Der IX bewegte sich um {all} Punkte, nicht mehr als sein Rauschen (± {half}): nicht deuten. Am meisten trug "
        "„{item}“ bei ({change}); ungewichtet hätten allein andere Besucher den Mittelwert um {mix} bewegt.",
    ),
    "worth": (
        "+{points} points that last bring {visits} visits, {orders} orders and {demand} of demand "
        "a year (95%: {low} to "
        "{high}): {net_revenue} after returns, {margin} of margin.",
        "+{points} Punkte auf Dauer bringen im Jahr {visits} Besuche, {orders} Bestellungen und {demand} Nachfrage "
        "(95 %: {low} bis {high}): {net_revenue} nach Retouren, {margin} Marge.",
    ),
    "beyond": (
        "For +{points} points there is no number: units rose so far rarely (less than one week in twenty) or never.",
        "Für +{points} Punkte gibt es keine Zahl: so weit stiegen Einheiten selten (weniger als eine Woche von "
        "zwanzig) "
        "oder nie.",
    ),
    "needs": (
        "{amount} of demand a year take {needed} points (95%: {needed_low} to {needed_high}).",
        "{amount} Nachfrage im Jahr brauchen {needed} Punkte (95 %: {needed_low} bis {needed_high}).",
    ),
    "needs_beyond": (
        "{amount} of demand a year take more points than units usually moved by: no number of points is given.",
        "{amount} Nachfrage im Jahr brauchen mehr Punkte, als sich Einheiten gewöhnlich bewegten: dafür wird keine "
        "Punktzahl genannt.",
    ),
    "needs_none": (
        "No number of points brings {amount} of demand a year: the estimated effect of a point is not above 0.",
        "Keine Punktzahl bringt {amount} Nachfrage im Jahr: Die geschätzte Wirkung eines Punkts liegt nicht über 0.",
    ),
    "unseen": (
        "The survey would not see such a move between two quarters: it sees {visible} points or more.",
        "Die Befragung sähe eine solche Bewegung zwischen zwei Quartalen nicht: Sie sieht ab {visible} Punkten.",
    ),
    "rates": (
        "{first} of those invited answered in the first half-year, {last} in the last.",
        "{first} der Eingeladenen antworteten im ersten Halbjahr, {last} im letzten.",
    ),
    "no_rates": (
        "There are no invitations: whether the readiness to answer changed cannot be seen.",
        "Einladungen fehlen: Ob sich die Bereitschaft zu antworten geändert hat, ist nicht zu sehen.",
    ),
    "mix": (
        "Furthest from the shop's visitors were those with {trait} “{level}”: {before} of the answers, {population} of "
        "the visits; weighted, {after}.",
        "Am weitesten von den Besuchern des Shops entfernt waren die mit {trait} „{level}“: {before} der Antworten, "
        "{population} der Besuche; gewichtet {after}.",
    ),
    "no_mix": (
        "There is no reference mix: nobody is weighted, and a drift of who answers reads as a change of experience.",
        "Eine Referenzmischung fehlt: Nichts ist gewichtet, und andere Antwortende sehen wie ein anderes Erlebnis aus.",
    ),
    "no_audit": (
        "Whether buyers answer more readily cannot be tested: log with each answer, as a trait and never as an item, "
        "whether the session ended in an order.",
        "Ob Käufer eher antworten, lässt sich nicht prüfen: zu jeder Antwort als Merkmal, nie als "
        "Frage, festhalten, ob "
        "der Besuch mit einer Bestellung endete.",
    ),
    "audit": (
        "{own} of the respondents ordered, {known} of all visits ({se} standard errors apart): buyers answer more or "
        "less readily, and the score leans towards them.",
        "{own} der Antwortenden bestellten, {known} aller Besuche ({se} Standardfehler Abstand): "
        "Käufer antworten anders "
        "häufig, und der Wert neigt sich ihnen zu.",
    ),
    "audit_fine": (
        "{own} of the respondents ordered, {known} of all visits: no more apart than chance ({se} standard errors).",
        "{own} der Antwortenden bestellten, {known} aller Besuche: nicht weiter auseinander als Zufall "
        "({se} Standardfehler).",
    ),
    "symmetric": (
        "Falls and rises weigh alike as far as can be seen: {loss} a point below a unit's usual, {gain} above it "
        "(p = {p}).",
        "Rückgänge und Anstiege wiegen, soweit erkennbar, gleich: {loss} je Punkt unter dem Üblichen einer Einheit, "
        "{gain} "
        "darüber (p = {p}).",
    ),
    "asymmetric": (
        "Falls and rises do not weigh alike: {loss} a point below a unit's usual, {gain} above it (p = {p}).",
        "Rückgänge und Anstiege wiegen nicht gleich: {loss} je Punkt unter dem Üblichen einer Einheit, {gain} darüber "
        "(p = {p}).",
    ),
    "truth": (
        "In truth a point is worth {truth} of demand between units (estimated: {own}) and {shop} "
        "for the shop as a whole, "
        "that is {year} a year. {inside} of {of} intervals hold the truth. The truth counts every delay, the estimate "
        "{weeks} weeks: what comes later is missing in it.",
        "In Wahrheit ist ein Punkt {truth} der Nachfrage zwischen Einheiten wert (geschätzt: {own}) und {shop} für den "
        "ganzen Shop, das sind {year} im Jahr. {inside} von {of} Intervallen enthalten die Wahrheit. Die Wahrheit "
        "zählt jede Verzögerung, die Schätzung {weeks} Wochen: Was später kommt, fehlt ihr.",
    ),
    "truth_scores": (
        "The score misses the true experience of a unit's week by {bias} points on average "
        "(unweighted: {raw}); {inside} "
        "of the weeks lie within their 95% interval.",
        "Der Wert verfehlt das wahre Erlebnis einer Einheitswoche im Mittel um {bias} Punkte (ungewichtet: {raw}); "
        "{inside} der Wochen liegen in ihrem 95-%-Intervall.",
    ),
    "lag_note": (
        "Effects are summed over {weeks} weeks, the same week included.",
        "Wirkungen sind über {weeks} Wochen summiert, die gleiche Woche eingeschlossen.",
    ),
}
