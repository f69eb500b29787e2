"""Before there is an IX: the questionnaire, and how large an effect a plan of units, weeks and answers could show."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import product

import numpy as np
import pandas as pd
import yaml
from scipy.stats import t as student

from waage import style
from waage.errors import WaageError
from waage.ix.guards import MIN_UNITS, LinkRefusal, admit
from waage.ix.simulation import simulate_panel

#: Log points of demand per point usual in e-commerce (elasticities of .2-.6 at level 70 and above). A judgement.
PLAUSIBLE = (0.002, 0.010)


@dataclass(frozen=True)
class Plan:
    """What plans of measurement could show.

    Attributes
    ----------
    table : DataFrame
        One row a plan: units, weeks, answers (a unit's week), answers_a_week (all units), reliability (of a week),
        block_weeks (most frequent), admitted (share of simulated panels whose link is not refused), smallest_effect
        (log points of demand per point, found four times in five), enough (smaller than the largest plausible effect).
    """

    table: pd.DataFrame

    @property
    def summary(self) -> pd.DataFrame:
        """The table, smallest effect first."""
        return self.table.sort_values("smallest_effect", ignore_index=True)

    def sentence(self, language: str = "en") -> str:
        """Return what the best plan could show, in words."""
        best = self.summary.iloc[0]
        if not np.isfinite(best["smallest_effect"]):
            return _REFUSED[language == "de"]
        facts = {
            "units": style.number(best["units"], language),
            "weeks": style.number(best["weeks"], language),
            "answers": style.number(best["answers"], language),
            "effect": style.percent(best["smallest_effect"], language, 2),
            "low": style.percent(PLAUSIBLE[0], language, 1),
            "high": style.percent(PLAUSIBLE[1], language, 1),
        }
        return _SHOWN[language == "de"].format(**facts)


def ix_plan(
    units: Sequence[int] = (8, 16, 24),
    weeks: Sequence[int] = (52, 104, 156),
    answers: Sequence[float] = (60, 150, 400),
    *,
    within_sd: float = 2.0,
    item_sd: float = 22.0,
    shock_sd: float = 0.05,
    panels: int = 10,
    seed: int = 7,
) -> Plan:
    """Simulate plans of measurement and return the smallest effect each could show.

    Parameters
    ----------
    units, weeks, answers : sequences of numbers
        Every combination is a plan; answers are those of a unit's week.
    within_sd : float
        SD of the true experience within a unit (points); 2 is a judgement.
    item_sd : float
        SD of a respondent's score (points).
    shock_sd : float
        SD of a unit's weekly shock to log demand.
    panels : int
        Simulated panels a plan.
    seed : int

    Returns
    -------
    Plan
        Smallest effects are (t(.975) + t(.8)) standard errors of the corrected link, at units - 1 degrees of freedom.

    Raises
    ------
    WaageError
        For plans of fewer than 3 units, 12 weeks or 2 answers.
    """
    if min(units) < 3 or min(weeks) < 12 or min(answers) < 2 or panels < 1:
        raise WaageError(
            f"ix_plan: at least 3 units, 12 weeks, 2 answers and 1 panel, not {min(units)}, {min(weeks)}, "
            f"{min(answers):g} and {panels}"
        )
    rows = []
    for G, T, n in product(units, weeks, answers):
        errors, blocks, weekly = [], [], []
        for number in range(panels):
            panel, _ = simulate_panel(
                1000 * seed + number,
                units=G,
                weeks=T,
                answers=n,
                within_sd=within_sd,
                item_sd=item_sd,
                shock_sd=shock_sd,
            )
            try:
                found = admit(panel)
            except LinkRefusal as refusal:
                weekly.append(refusal.tried["reliability"].iloc[0])
                continue
            weekly.append(found.tried["reliability"].iloc[0])
            errors.append(found.link.std_error())
            blocks.append(found.block_weeks)
        factor = student.ppf(0.975, G - 1) + student.ppf(0.8, G - 1)
        smallest = factor * float(np.median(errors)) if len(errors) >= panels / 2 else np.nan
        rows.append(
            {
                "units": G,
                "weeks": T,
                "answers": n,
                "answers_a_week": G * n,
                "reliability": float(np.nanmean(weekly)),
                "block_weeks": int(pd.Series(blocks).mode().iloc[0]) if blocks else pd.NA,
                "admitted": len(errors) / panels,
                "smallest_effect": smallest,
                "enough": bool(smallest <= PLAUSIBLE[1]),
            }
        )
    return Plan(pd.DataFrame(rows))


@lru_cache(maxsize=1)
def questionnaire() -> dict:
    """Return the questionnaire that ships: version, trigger, introduction, missing, items, traits."""
    return yaml.safe_load(files("waage.ix").joinpath("questionnaire.yaml").read_text(encoding="utf-8"))


def questionnaire_items(instrument: str = "ix") -> pd.DataFrame:
    """Return the questionnaire as rows of the table `items`, ready for an `items.csv`."""
    form = questionnaire()
    rows = [
        {
            "instrument": instrument,
            "item": item["item"],
            "kind": "scale",
            "construct": item["construct"],
            "label": item["en"],
            "label_de": item["de"],
            "scale_min": item["min"],
            "scale_max": item["max"],
            "best": item["best"],
            # "Don't know" is offered where a scale leaves room for the code.
            "missing_codes": str(form["missing"]["code"]) if item["max"] < form["missing"]["code"] else None,
        }
        for item in form["items"]
    ]
    rows += [
        {"instrument": instrument, "item": t["item"], "kind": "trait", "label": t["en"], "label_de": t["de"]}
        for t in form["traits"]
    ]
    return pd.DataFrame(rows)


def questionnaire_text(language: str = "en") -> str:
    """Return the questionnaire for print: introduction, items with their scales, trigger rule."""
    if language not in ("en", "de"):
        raise WaageError(f"language {language!r} is unknown; use 'en' or 'de'")
    form, de = questionnaire(), language == "de"
    lines = [form["introduction"][language], ""]
    for number, item in enumerate(form["items"], start=1):
        ends = (_ENDS[1] if de else _ENDS[0]) if item["best"] == "max" else ""
        lines.append(f"{number}. {item[language]} ({item['min']}-{item['max']}{ends})")
    lines += ["", _TRIGGER[de].format(days=form["trigger"]["rest_days"], units=MIN_UNITS)]
    return "\n".join(lines)


_ENDS = (": disagree to agree", ": stimme nicht zu bis stimme zu")
_TRIGGER = (
    "Ask a random share of all sessions at a random moment, whatever is in the basket; a visitor at most once in "
    "{days} days. Store the probability of being asked; log invitations, starts and "
    "completions. At least {units} units.",
    "Einen zufälligen Teil aller Sitzungen zu einem zufälligen Zeitpunkt fragen, gleich was im Warenkorb liegt; einen "
    "Besucher höchstens einmal in {days} Tagen. Die Wahrscheinlichkeit der Auswahl speichern, Einladungen, Beginn und "
    "Abschluss zählen. Mindestens {units} Einheiten.",
)
_SHOWN = (
    "With {units} units, {weeks} weeks and {answers} answers a unit and week, effects from {effect} of demand per IX "
    "point on would be found four times in five; {low} to {high} is usual in e-commerce.",
    "Mit {units} Einheiten, {weeks} Wochen und {answers} Antworten je Einheit und Woche würden Wirkungen ab {effect} "
    "der Nachfrage je IX-Punkt in vier von fünf Fällen gefunden; {low} bis {high} sind im E-Commerce üblich.",
)
_REFUSED = (
    "None of these plans could carry the link: more units, weeks or answers are needed.",
    "Keiner dieser Pläne würde die Verknüpfung tragen: mehr Einheiten, Wochen oder Antworten sind nötig.",
)
