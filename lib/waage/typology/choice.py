"""How many types: criteria, sizes and stability for each number of classes, a recommendation and a plain verdict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from joblib import Parallel

from waage import style
from waage.engine import available_threads
from waage.errors import Refusal, WaageError
from waage.typology.classes import Classes, fit_classes
from waage.typology.stability import HIGHLY_STABLE, VALID, bootstrap_stability
from waage.typology.storage import packed, unpacked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TEXTS = {
    "natural": (
        "Natural groups: {k} types come back in every sample (Jaccard {low} to {high}, global ARI {ari}).",
        "Natürliche Gruppen: {k} Typen kehren in jeder Stichprobe wieder (Jaccard {low} bis {high}, globaler ARI "
        "{ari}).",
    ),
    "reproducible": (
        "Reproducible types: no gaps in the data force them, but another sample of these customers gives much the "
        "same {k} types (Jaccard {low} to {high}, global ARI {ari}).",
        "Reproduzierbare Typen: Keine Lücken in den Daten erzwingen sie, aber eine andere Stichprobe derselben Kunden "
        "ergibt weitgehend dieselben {k} Typen (Jaccard {low} bis {high}, globaler ARI {ari}).",
    ),
    "constructed": (
        "WARNING, constructed types: not all of these {k} types come back in another sample of the same customers "
        "(Jaccard {low} to {high}, global ARI {ari}).{weak} They are a way to cut, not something that is there: "
        "do not tell stories about them.",
        "WARNUNG, konstruierte Typen: Nicht alle diese {k} Typen kehren in einer anderen Stichprobe derselben Kunden "
        "wieder (Jaccard {low} bis {high}, globaler ARI {ari}).{weak} Sie sind ein Schnitt, nichts Vorgefundenes; "
        "keine Geschichten über sie erzählen.",
    ),
    "one_only": (
        "WARNING, constructed types: one single group describes the answers better than any number of types (BIC). The "
        "{k} types are a way to cut, not something that is there: do not tell stories about them (Jaccard {low} to "
        "{high}, global ARI {ari}).",
        "WARNUNG, konstruierte Typen: Eine einzige Gruppe beschreibt die Antworten besser als jede Zahl von Typen "
        "(BIC). Die {k} Typen sind ein Schnitt, nichts Vorgefundenes; keine Geschichten über sie erzählen (Jaccard "
        "{low} bis {high}, globaler ARI {ari}).",
    ),
    "weak": (" Weak: type {ids}.", " Schwach: Typ {ids}."),
    "best": (
        "{k} types: the lowest BIC among those whose smallest type has {share} and {persons} persons and that come "
        "back in other samples.",
        "{k} Typen: der niedrigste BIC unter denen, deren kleinster Typ {share} und {persons} Personen hat und die in "
        "anderen Stichproben wiederkehren.",
    ),
    "unstable": (
        "{k} types: the lowest BIC, but no number of types that was checked comes back in other samples.",
        "{k} Typen: der niedrigste BIC, aber keine geprüfte Zahl von Typen kehrt in anderen Stichproben wieder.",
    ),
    "small": (
        "{k} types: the lowest BIC, but every number of types has one below {share} or {persons} persons.",
        "{k} Typen: der niedrigste BIC, aber jede Zahl von Typen hat einen unter {share} oder {persons} Personen.",
    ),
    "capped": (
        " BIC was still falling: a larger sample might carry more types.",
        " BIC fiel noch: Eine größere Stichprobe trüge vielleicht mehr Typen.",
    ),
    "overruled": (" Overruled: {k} types were asked for.", " Überstimmt: {k} Typen waren verlangt."),
    "alone": (
        "Only one of {of} finished starts reached the best fit of {k} types: there may be a better one; raise n_init.",
        "Nur einer von {of} beendeten Starts erreichte die beste Anpassung von {k} Typen: Es kann eine bessere geben; "
        "n_init erhöhen.",
    ),
    "refused": ("{k} types cannot be fitted: {why}.", "{k} Typen lassen sich nicht anpassen: {why}."),
    "criteria": ("Distance from the lowest", "Abstand vom niedrigsten Wert"),
    "k": ("Number of types", "Zahl der Typen"),
    "stability": ("Stability (bootstrap)", "Stabilität (Bootstrap)"),
    "title": ("How many types?", "Wie viele Typen?"),
    "jaccard": ("Jaccard, each type", "Jaccard, je Typ"),
    "ari": ("global ARI", "globaler ARI"),
    "usefulness": ("typing, macro-F1", "Typisierung, Makro-F1"),
    "chosen": ("chosen", "gewählt"),
}


@dataclass(frozen=True)
class Choice:
    """Numbers of classes compared, as `choose_k` finds them.

    Attributes
    ----------
    table : DataFrame
        One row a k, the single class first: k, loglik, n_parameters, bic, sabic, aic, icl, icl_modal,
        relative_entropy, smallest_share, smallest_persons, replicated, finished, jaccard (mean over types by
        share), jaccard_low (of the weakest type), ari, prediction_strength, bootstraps, verdict, usefulness. What was
        not checked is missing.
    segments : DataFrame
        One row a k and type of those checked: k, type, share, jaccard (mean), jaccard_low (5th percentile).
    models : dict of int to Classes
    refused : dict of int to str
        Numbers of classes that could not be fitted, and why.
    recommended, k : int
        What the rule says, and what holds: another if the caller overruled it.
    rule : str
        best, unstable or small: why.
    min_share, min_persons : float, int
        What the smallest type must have.
    """

    table: pd.DataFrame
    segments: pd.DataFrame
    models: dict[int, Classes]
    refused: dict[int, str]
    recommended: int
    k: int
    rule: str
    min_share: float
    min_persons: int

    @property
    def classes(self) -> Classes:
        """The model that holds."""
        return self.models[self.k]

    @property
    def verdict(self) -> str:
        """natural, reproducible or constructed, for the model that holds."""
        return self.table.set_index("k").verdict[self.k]

    @property
    def summary(self) -> pd.Series:
        """The table's row of the model that holds."""
        return self.table.set_index("k", drop=False).loc[self.k]

    def reason(self, language: str = "en") -> str:
        """Return why this number of types, as a sentence."""
        at = language == "de"
        words = {"share": style.percent(self.min_share, language), "persons": style.number(self.min_persons, language)}
        text = _TEXTS[self.rule][at].format(k=self.recommended, **words)
        if self.table.k[self.table.bic.idxmin()] == self.table.k.max() == self.recommended:
            text += _TEXTS["capped"][at]
        return text if self.k == self.recommended else text + _TEXTS["overruled"][at].format(k=self.k)

    def sentence(self, language: str = "en") -> str:
        """Return the verdict as a sentence no reader can miss."""
        at = language == "de"
        mine = self.segments[self.segments.k == self.k]
        row = self.summary
        low, high, ari = (style.number(x, language, 2) for x in (mine.jaccard.min(), mine.jaccard.max(), row.ari))
        weak = mine.type[mine.jaccard < VALID].astype(str)
        return _TEXTS["one_only" if _one_is_best(self.table) else row.verdict][at].format(
            k=self.k,
            low=low,
            high=high,
            ari=ari,
            weak=_TEXTS["weak"][at].format(ids=", ".join(weak)) if len(weak) else "",
        )

    def warnings(self, language: str = "en") -> list[str]:
        """Return what a reader must know before believing in these types; empty if there is nothing."""
        at = language == "de"
        said = [self.sentence(language)] if self.verdict == "constructed" else []
        if self.classes.replicated == 1 < self.classes.finished:
            said.append(_TEXTS["alone"][at].format(k=self.k, of=self.classes.finished))
        return said + [_TEXTS["refused"][at].format(k=k, why=why) for k, why in self.refused.items()]

    def with_usefulness(self, macro_f1: Mapping[int, float]) -> "Choice":
        """Return a copy whose `table` says how well a typing tool finds the types, as macro-F1 by k."""
        return replace(self, table=self.table.assign(usefulness=self.table.k.map(dict(macro_f1)).astype(float)))

    def with_model(self, model: Classes, segments: pd.DataFrame) -> "Choice":
        """Return a copy in which the model that holds is the same one under other names."""
        return replace(self, models={**self.models, self.k: model}, segments=segments)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as what JSON can hold, with the model that holds and no other."""
        plain = {name: getattr(self, name) for name in ("recommended", "k", "rule", "min_share", "min_persons")}
        refused = {str(k): why for k, why in self.refused.items()}
        tables = {"table": packed(self.table), "segments": packed(self.segments)}
        return plain | tables | {"refused": refused, "model": self.classes.to_dict()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Choice":
        """Return the comparison that `to_dict` stored."""
        plain = {name: stored[name] for name in ("recommended", "k", "rule", "min_share", "min_persons")}
        tables = {name: unpacked(stored[name]) for name in ("table", "segments")}
        refused = {int(k): why for k, why in stored["refused"].items()}
        return cls(models={stored["k"]: Classes.from_dict(stored["model"])}, refused=refused, **tables, **plain)

    def plot_criteria(self, ax: "Axes | None" = None, language: str = "en") -> "Axes":
        """Draw the criteria by k, and beside them, on an own axis, the stability of those checked.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; it gives half of its width away. A new figure if left out.
        language : str
            en or de.

        Returns
        -------
        Axes
            That of the criteria.
        """
        from matplotlib.ticker import MaxNLocator
        from mpl_toolkits.axes_grid1 import make_axes_locatable

        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(figsize=(10, 4.5))[1]
        at = language == "de"
        beside = make_axes_locatable(ax).append_axes("right", size="100%", pad=0.9)
        several = self.table[self.table.k > 1]
        for name, colour in zip(("bic", "sabic", "icl"), style.PALETTE, strict=False):
            ax.plot(several.k, several[name] - several[name].min(), marker="o", color=colour, label=name.upper())
        ax.set(title=_TEXTS["title"][at], ylabel=_TEXTS["criteria"][at], xlabel=_TEXTS["k"][at])
        style.axis_number(ax.yaxis, language)
        label = _TEXTS["jaccard"][at]
        beside.scatter(self.segments.k, self.segments.jaccard, color=style.ACCENT, s=24, label=label, zorder=3)
        for name, marker in (("ari", "D"), ("usefulness", "s")):
            if several[name].notna().any():
                colour = style.BRASS if name == "ari" else style.PALETTE[3]
                beside.scatter(several.k, several[name], color=colour, marker=marker, s=36, label=_TEXTS[name][at])
        beside.axhline(VALID, color=style.MUTED, lw=1, ls=":")
        beside.axhline(HIGHLY_STABLE, color=style.MUTED, lw=1, ls=":")
        beside.set(ylim=(0, 1.03), xlabel=_TEXTS["k"][at], title=_TEXTS["stability"][at])
        style.axis_number(beside.yaxis, language, 2)
        for axes in (ax, beside):
            axes.axvline(self.k, color=style.MUTED, lw=8, alpha=0.15, label=_TEXTS["chosen"][at])
            axes.set_xlim(several.k.min() - 0.5, several.k.max() + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend(fontsize=9)
        return ax


def choose_k(
    answers: pd.DataFrame,
    kinds: Mapping[str, str],
    *,
    weights: Sequence[float] | None = None,
    ks: Iterable[int] = range(2, 9),
    k: int | None = None,
    n_init: int = 50,
    n_bootstrap: int = 25,
    bootstrap_init: int = 10,
    at_least: int = 2,
    at_most: int = 5,
    min_share: float = 0.05,
    min_persons: int = 50,
    seed: int = 0,
    n_jobs: int | None = None,
) -> Choice:
    """Compare numbers of latent classes and recommend one.

    The rule: among the k whose smallest class has `min_share` and `min_persons` and which are natural or reproducible,
    the lowest BIC. Stability is dear, so k are checked in the order of BIC, `at_least` of them, further ones only
    until one is stable.

    Each bootstrap fits the classes to a resample and predicts everybody. From these: the Jaccard coefficient of each
    type with its best match; the median adjusted Rand index and the mean prediction strength (of the weakest class)
    over all pairs of bootstraps. natural: every Jaccard at least .85, ARI and prediction strength at least .8.
    reproducible: every Jaccard at least .75. constructed: the rest, and whatever is found where a single class has the
    lowest BIC.

    Parameters
    ----------
    answers, kinds, weights
        As for `fit_classes`.
    ks : iterable of int
        Numbers of classes, 2 or more.
    k : int, optional
        Overrules the recommendation.
    n_init, bootstrap_init : int
        Random starts of each fit and of each bootstrap's. With few, types look unstable that are not.
    n_bootstrap : int
        At least 2.
    at_least, at_most : int
        How many k are checked for stability.
    min_share, min_persons : float, int
        What the smallest class must have (expected, weighted share and that share of the respondents).
    seed : int
        The result depends on it, and not on `n_jobs`.
    n_jobs : int, optional
        Processes; all cores if left out.

    Raises
    ------
    WaageError
        If k is not among ks.
    Refusal
        If no k can be fitted, or not the one asked for.

    References
    ----------
    Hennig (2007), Computational Statistics and Data Analysis 52, 258-271; Dolnicar and Leisch (2010), Marketing
    Letters 21, 83-101 and (2017) 28, 423-436; Tibshirani and Walther (2005), JCGS 14, 511-528.
    """
    ks = sorted({*ks} | ({k} if k else set()))
    if not ks or ks[0] < 2 or n_bootstrap < 2:
        raise WaageError(f"choose_k: ks = {ks} must be 2 or more, n_bootstrap = {n_bootstrap} at least 2")
    n_jobs = n_jobs or available_threads()
    models, refused = {}, {}
    for number in (1, *ks):
        starts = 1 if number == 1 else n_init  # one class has one solution
        try:
            models[number] = fit_classes(
                answers, kinds, number, weights=weights, n_init=starts, seed=seed, n_jobs=min(n_jobs, starts)
            )
        except Refusal as refusal:
            if number in (1, k):
                raise
            refused[number] = str(refusal)
    if len(models) == 1:
        raise Refusal(f"No number of classes can be fitted: {next(iter(refused.values()))}")
    large = [i for i in models if i > 1 and models[i].shares.min() * len(answers) >= min_persons]
    large = [i for i in large if models[i].shares.min() >= min_share]
    order = sorted(large or (i for i in models if i > 1), key=lambda i: models[i].bic)
    checked, stable = {}, []
    with Parallel(n_jobs=n_jobs) as workers:

        def check(number: int) -> str:
            checked[number] = bootstrap_stability(
                answers, kinds, models[number], weights, n_bootstrap, bootstrap_init, seed, workers
            )
            return checked[number]["verdict"]

        for number in order[:at_most]:
            if stable and len(checked) >= at_least:
                break
            if check(number) != "constructed":
                stable.append(number)
        if k and k not in checked:
            check(k)
    table = _table(models, checked, len(answers))
    if _one_is_best(table):
        table["verdict"] = table["verdict"].mask(table["verdict"].notna(), "constructed")
        stable = []
    rule = "small" if not large else "best" if stable else "unstable"
    recommended = stable[0] if rule == "best" else order[0]
    segments = pd.concat([found["segments"] for _, found in sorted(checked.items())], ignore_index=True)
    return Choice(table, segments, models, refused, recommended, k or recommended, rule, min_share, min_persons)


def _table(models: Mapping[int, Classes], checked: Mapping[int, dict], n: int) -> pd.DataFrame:
    rows = []
    for k, model in models.items():
        smallest = {"smallest_share": model.shares.min(), "smallest_persons": model.shares.min() * n}
        found = {name: value for name, value in checked.get(k, {}).items() if name != "segments"}
        rows.append(model.summary.to_dict() | smallest | found)
    table = pd.DataFrame(rows).astype({"k": int, "n_parameters": int, "replicated": int, "finished": int})
    return table.assign(usefulness=np.nan)


def _one_is_best(table: pd.DataFrame) -> bool:
    return bool(table.bic.idxmin() == table.index[table.k == 1][0])
