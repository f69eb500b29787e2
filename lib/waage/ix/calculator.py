"""The calculator of the page: points to visits, orders and money and back, within what was observed, from `ix_value`.

All numbers and texts are made here; the few lines of script in the page only look them up.
"""

import json
from html import escape

import numpy as np
import pandas as pd

from waage import style
from waage.ix.value import what_if

MEASURES = ("visits", "orders", "demand", "net_revenue", "margin")
STEP = 0.25  # points between two stops of the slider

_MONEY = MEASURES[2:]


def calculator(table: pd.DataFrame, labels: dict[str, str], currency: str = "EUR", language: str = "en") -> str:
    """Return the calculator as HTML.

    Parameters
    ----------
    table : DataFrame
        `ix_value`.
    labels : dict
        Name of each unit.
    currency, language : str

    Returns
    -------
    str
        A fragment that works without any network, and shows one point where scripts are off.
    """
    words = _WORDS[language == "de"]
    shop = table[table["unit"] == "all"]
    table = table[np.isfinite(table["support_low"]) & np.isfinite(table["support_high"])]  # ever scored
    units = ["all", *sorted(set(table["unit"]) - {"all"}, key=lambda unit: labels.get(unit, unit))]
    data = {unit: _stops(of, currency, language) for unit in units if len(of := table[table["unit"] == unit])}
    data = {unit: of for unit, of in data.items() if len(of["points"]) > 1}
    if not data:
        return f"<p>{escape(words['nothing'])}</p>"
    first = next(iter(data))
    options = "".join(
        f'<option value="{escape(unit)}">{escape(words["all"] if unit == "all" else labels.get(unit, unit))}</option>'
        for unit in data
    )
    at = data[first]["start"]
    rows = "".join(
        f'<tr data-measure="{name}"><th>{escape(_name(name, language))}</th><td class="num">{text[0]}</td>'
        f'<td class="num now">{text[1][at]}</td></tr>'
        for name, text in data[first]["rows"].items()
    )
    kinds = "".join(f'<option value="{name}">{escape(_name(name, language))}</option>' for name in _MONEY)
    amount = _round(0.01 * float(shop.loc[shop["measure"] == "demand", "base"].iloc[0]))
    texts = {name: words[name] for name in ("takes", "beyond", "unseen", "open", "none")} | {"lang": language}
    body = f"""
<div class="ix-calculator">
<p><label>{escape(words["unit"])} <select class="unit">{options}</select></label></p>
<p><label>{escape(words["points"])} <input class="points" type="range" min="0" max="{len(data[first]["points"]) - 1}"
 value="{at}" step="1"> <output class="shown">{data[first]["shown"][at]}</output></label>
 <span class="muted support">{escape(data[first]["support"])}</span></p>
<div class="scroll"><table><thead><tr><th>{escape(words["measure"])}</th><th class="num">{escape(words["today"])}</th>
<th class="num">{escape(words["worth"])}</th></tr></thead><tbody>{rows}</tbody></table></div>
<p><label>{escape(words["amount"])} <input class="amount" type="number" min="1" step="any" value="{amount}"></label>
 {escape(currency)} <select class="kind">{kinds}</select></p>
<p class="needed" aria-live="polite"></p>
</div>"""
    payload = json.dumps({"units": data, "words": texts}, ensure_ascii=False).replace("<", "\\u003c")
    return f'{body}<script type="application/json" class="ix-data">{payload}</script><script>{_SCRIPT}</script>'


def _stops(rows: pd.DataFrame, currency: str, language: str) -> dict:
    """Return what the slider shows of a unit at every stop, and the numbers that the way back looks up."""
    words, rows = _WORDS[language == "de"], rows.set_index("measure")
    low, high = rows["support_low"].iloc[0], rows["support_high"].iloc[0]
    points = STEP * np.arange(np.ceil(low / STEP), np.floor(high / STEP) + 1)
    of = {point: what_if(rows, point) for point in points}
    between = words["to"]

    def text(name: str, x: float) -> str:
        return style.compact(x, currency if name in _MONEY else None, language)

    found, numbers = {}, {}
    for name in MEASURES:
        shown = []
        for point in points:
            row = of[point].loc[name]
            shown.append(f"{text(name, row['value'])} ({text(name, row['low'])}{between}{text(name, row['high'])})")
        found[name] = (text(name, rows.loc[name, "base"]), shown)
        if name in _MONEY:
            ahead = [point for point in points if point > 0]
            numbers[name] = [
                [float(point), *map(float, of[point].loc[name, ["value", "low", "high"]])] for point in ahead
            ]
    ends = {end: style.number(x, language, 1) for end, x in (("low", low), ("high", high))}
    start = int(np.argmin(np.abs(points - 1.0))) if len(points) else 0
    return {
        "points": [float(point) for point in points],
        "shown": [("+" if point > 0 else "") + style.number(point, language, 2) for point in points],
        "rows": found,
        "numbers": numbers,
        "start": start,
        "visible": float(rows["visible"].iloc[0]),
        "rises": bool(rows.loc["demand", "effect"] > 0),
        "support": words["support"].format(**ends),
    }


def _name(measure: str, language: str) -> str:
    words = _WORDS[language == "de"]
    return words.get(measure) or style.title(measure, language)


def _round(x: float) -> int:
    """Return a round number near x, for an input to begin with."""
    size = 10 ** max(int(np.floor(np.log10(max(x, 1.0)))), 0)
    return int(max(round(x / size), 1) * size)


_WORDS = (
    {
        "unit": "Where does the experience rise?",
        "all": "The whole shop",
        "points": "By how many points, lasting?",
        "measure": "A year",
        "today": "Today",
        "worth": "More (95% interval)",
        "amount": "And how many points does it take for",
        "visits": "Visits",
        "orders": "Orders",
        "to": " to ",
        "support": "Nine weeks in ten lay from {low} to {high} points around the usual; beyond it there is no number.",
        "takes": "{points} points (95%: {low} to {high}).",
        "beyond": "More points than units usually moved by: no number is given.",
        "open": "more than usual moves",
        "none": "No points bring that: the estimated effect of a point is not above 0.",
        "unseen": "The survey would not see so small a move between two quarters; it sees {visible} points or more.",
        "nothing": "No unit moved far enough for a calculation.",
    },
    {
        "unit": "Wo steigt das Erlebnis?",
        "all": "Im ganzen Shop",
        "points": "Um wie viele Punkte, auf Dauer?",
        "measure": "Im Jahr",
        "today": "Heute",
        "worth": "Mehr (95-%-Intervall)",
        "amount": "Und wie viele Punkte braucht es für",
        "visits": "Besuche",
        "orders": "Bestellungen",
        "to": " bis ",
        "support": "Neun von zehn Wochen lagen {low} bis {high} Punkte um das Übliche; darüber hinaus gibt es keine "
        "Zahl.",
        "takes": "{points} Punkte (95 %: {low} bis {high}).",
        "beyond": "Mehr Punkte, als sich Einheiten gewöhnlich bewegten: Es wird keine Zahl genannt.",
        "open": "mehr als übliche Bewegungen",
        "none": "Keine Punktzahl bringt das: Die geschätzte Wirkung eines Punkts liegt nicht über 0.",
        "unseen": "So eine kleine Bewegung sähe die Befragung zwischen zwei Quartalen nicht; sie sieht "
        "ab {visible} Punkten.",
        "nothing": "Keine Einheit bewegte sich weit genug für eine Rechnung.",
    },
)
_SCRIPT = """
(function () {
  for (const box of document.querySelectorAll(".ix-calculator:not([data-ready])")) {
    box.dataset.ready = "1";
    const data = JSON.parse(box.parentElement.querySelector(".ix-data").textContent), words = data.words;
    const at = name => box.querySelector("." + name);
    const text = x => x.toLocaleString(words.lang, {minimumFractionDigits: 1, maximumFractionDigits: 1});
    // The points at which a column of the table reaches an amount, on a straight line between two stops.
    function reach(rows, column, amount) {
      let before = [0, 0, 0, 0];
      for (const row of rows) {
        if (row[column] >= amount && row[column] > before[column]) {
          return before[0] + (row[0] - before[0]) * (amount - before[column]) / (row[column] - before[column]);
        }
        before = row;
      }
      return null;
    }
    function show() {
      const unit = data.units[at("unit").value], stop = +at("points").value;
      at("shown").textContent = unit.shown[stop];
      at("support").textContent = unit.support;
      for (const row of box.querySelectorAll("tr[data-measure]")) {
        const [today, stops] = unit.rows[row.dataset.measure];
        row.children[1].textContent = today;
        row.children[2].textContent = stops[stop];
      }
      const rows = unit.numbers[at("kind").value], amount = +at("amount").value;
      if (!(amount > 0)) { at("needed").textContent = ""; return; }
      const [points, low, high] = [1, 3, 2].map(column => reach(rows, column, amount));
      if (points === null) { at("needed").textContent = unit.rises ? words.beyond : words.none; return; }
      const said = words.takes.replace("{points}", text(points)).replace("{low}", text(low))
        .replace("{high}", high === null ? words.open : text(high));
      const unseen = points < unit.visible ? " " + words.unseen.replace("{visible}", text(unit.visible)) : "";
      at("needed").textContent = said + unseen;
    }
    at("unit").addEventListener("change", () => {
      const unit = data.units[at("unit").value];
      at("points").max = unit.points.length - 1;
      at("points").value = unit.start;
      show();
    });
    for (const name of ["points", "amount", "kind"]) at(name).addEventListener("input", show);
    show();
  }
})();
"""
