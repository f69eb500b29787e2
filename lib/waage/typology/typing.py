"""The typing tool: which type a customer is, from behaviour alone, and whether behaviour can tell at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from waage.errors import Refusal, WaageError
from waage.typology import accuracy
from waage.typology.assignment import channel_priors
from waage.typology.storage import packed, unpacked
from waage.typology.training import fit_boosting, fit_constant, fit_logit, softmax, stratified_folds
from waage.typology.typing_model import TypingModel, bin_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The gate: macro-F1 must beat that of the largest type by this much, and log-loss by so many standard errors.
GATE_F1, GATE_ERRORS = 0.15, 2.0
_SHOWN = 30  # pairs of respondent and type in a point of the calibration curve, at least (judgement)
_TABLES = ("table", "per_type", "calibration", "importance", "thresholds")
_TEXTS = {
    "open": (
        "Behaviour tells the type of {accuracy} of customers with orders as the survey does (largest type alone: "
        "{majority}); of their true type it tells about {denoised}.",
        "Das Verhalten bestimmt den Typ von {accuracy} der Kunden mit Bestellungen so wie die Befragung (größter Typ "
        "allein: {majority}); den wahren Typ trifft es bei etwa {denoised}.",
    ),
    "closed_f1": (
        "Behaviour does not carry this typology: macro-F1 {f1} against {majority_f1} for the largest type alone, "
        "needed {needed}.",
        "Das Verhalten trägt diese Typologie nicht: Makro-F1 {f1} gegenüber {majority_f1} für den größten Typ allein, "
        "nötig wären {needed}.",
    ),
    "closed_log_loss": (
        "Behaviour does not carry this typology: its probabilities are no better than the overall mix of types "
        "(log-loss {log_loss} against {base}).",
        "Das Verhalten trägt diese Typologie nicht: Die Wahrscheinlichkeiten sind nicht besser als die Mischung aller "
        "Typen (Log-Loss {log_loss} gegenüber {base}).",
    ),
    "stays": (
        " The types stay with the survey; no customer is typed.",
        " Die Typen bleiben in der Befragung; kein Kunde wird typisiert.",
    ),
    "majority": ("Largest type", "Größter Typ"),
    "rfm": ("Recency, frequency, money", "Letzter Kauf, Häufigkeit, Umsatz"),
    "basket": ("+ basket", "+ Warenkorb"),
    "channel": ("+ channel and events", "+ Kanal und Ereignisse"),
    "boosting": ("Boosted trees", "Boosting-Bäume"),
    "ladder": ("Right type, share of respondents", "Richtiger Typ, Anteil der Befragten"),
    "ceiling": ("label reliability {share}", "Verlässlichkeit der Typen {share}"),
    "predicted": ("Predicted probability", "Vorhergesagte Wahrscheinlichkeit"),
    "observed": ("Share by the answers", "Anteil nach den Antworten"),
}


@dataclass(frozen=True)
class Typing:
    """A typing model and what it is worth, all measured out of fold.

    Attributes
    ----------
    model : TypingModel
        Trained on all respondents with history; `model.open` is the gate.
    table : DataFrame
        The ladder, one row a step (majority, the blocks one added after the other, boosting on all): step, features,
        accuracy, macro_f1, log_loss and denoised_accuracy with _low and _high (bootstrap of
        respondents), gain_log_loss and gain_macro_f1 over the step before (boosting: over the chosen logit) with
        _low and _high (paired bootstrap; positive is better), chosen.
    headline : dict
        Measures of the chosen step, see `waage.typology.accuracy.headline`, and log_loss_gain with its std_error.
    nested : dict or None
        The same with the typology fitted anew in every outer fold: the end-to-end quote.
    per_type, calibration, thresholds : DataFrames
        See `waage.typology.accuracy`.
    true_types : array, shape (K, K)
        Joint distribution of predicted (rows) and true type (columns), de-noised; NaN where the label cannot carry it.
    importance : DataFrame
        Per feature of the chosen logit: importance (root mean square of its standardised coefficients over the
        types), type it speaks most for, its coefficient there, and the share of missing values.
    sets : ConformalSets
    probabilities : DataFrame, shape (n, K)
        Out of fold, by the index of X; empty in what was stored. Research data: they may not leave the workbench.
    n, without_history : int
        Respondents trained on, and those left out because they have no history.
    reason : str
        open, closed_f1 or closed_log_loss.
    """

    model: TypingModel
    table: pd.DataFrame
    headline: Mapping[str, float]
    nested: Mapping[str, float] | None
    per_type: pd.DataFrame
    calibration: pd.DataFrame
    thresholds: pd.DataFrame
    true_types: np.ndarray
    importance: pd.DataFrame
    sets: accuracy.ConformalSets
    probabilities: pd.DataFrame
    n: int
    without_history: int
    reason: str

    @property
    def open(self) -> bool:
        """Whether behaviour carries the typology, so that types may leave the workbench."""
        return self.model.open

    @property
    def summary(self) -> pd.DataFrame:
        """The headline as a table: measure, value, nested (NaN where the typology was not fitted anew)."""
        return pd.DataFrame(
            [(name, value, (self.nested or {}).get(name, np.nan)) for name, value in self.headline.items()],
            columns=["measure", "value", "nested"],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the model and what it is worth as JSON can hold them; nothing of any single person."""
        plain = {name: getattr(self, name) for name in ("n", "without_history", "reason")}
        plain |= {name: value and dict(value) for name, value in (("headline", self.headline), ("nested", self.nested))}
        tables = {name: packed(getattr(self, name)) for name in _TABLES}
        sets = {"sets": asdict(self.sets), "true_types": self.true_types.tolist()}
        return {"model": self.model.to_dict()} | plain | tables | sets

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Typing":
        """Return what `to_dict` stored, without the respondents' probabilities."""
        tables = {name: unpacked(stored[name]) for name in _TABLES}
        plain = {name: stored[name] for name in ("n", "without_history", "reason", "headline", "nested")}
        model = TypingModel.from_dict(stored["model"])
        sets = accuracy.ConformalSets(**stored["sets"])
        nobody = pd.DataFrame(columns=list(model.types), dtype=float)
        true_types = np.array(stored["true_types"], dtype=float)
        return cls(model=model, sets=sets, true_types=true_types, probabilities=nobody, **tables, **plain)

    def sentence(self, language: str = "en", forced: bool = False) -> str:
        """Return how well behaviour tells the types, or that it does not, and that nobody is typed unless forced."""
        from waage import style

        head = self.headline
        facts = {
            name: style.percent(head[key], language)
            for name, key in (
                ("accuracy", "accuracy"),
                ("majority", "majority_accuracy"),
                ("denoised", "denoised_accuracy"),
            )
        }
        numbers = {"f1": head["macro_f1"], "majority_f1": head["majority_macro_f1"], "log_loss": head["log_loss"]}
        numbers |= {"base": head["base_log_loss"], "needed": head["majority_macro_f1"] + GATE_F1}
        facts |= {name: style.number(value, language, 2) for name, value in numbers.items()}
        stays = "" if self.open or forced else _text("stays", language)
        return _text(self.reason, language).format(**facts) + stays

    @staticmethod
    def step(name: str, language: str = "en") -> str:
        """Return the text of a step of the ladder."""
        return _text(name, language)

    def plot_ladder(self, ax: "Axes | None" = None, language: str = "en") -> "Axes":
        """Draw the accuracy of every step with its interval, beside the reliability of the label itself."""
        from waage import style

        ax = _axes(ax)
        for place, row in enumerate(self.table.iloc[::-1].to_dict("records")):
            ax.barh(place, row["accuracy"], height=0.6, color=style.ACCENT if row["chosen"] else style.MUTED)
            ax.plot([row["accuracy_low"], row["accuracy_high"]], [place, place], color=style.INK, lw=1.5)
        ceiling = self.headline["label_ceiling"]
        ax.axvline(ceiling, color=style.BRASS, ls="--", lw=1.2)
        said = _text("ceiling", language).format(share=style.percent(ceiling, language))
        ax.annotate(said, (ceiling, len(self.table) - 0.5), (-4, 0), textcoords="offset points", ha="right", va="top")
        ax.set_yticks(range(len(self.table)), [_text(step, language) for step in self.table.step[::-1]])
        ax.set_xlim(0, 1)
        ax.set_xlabel(_text("ladder", language))
        style.axis_percent(ax.xaxis, language)
        return ax

    def plot_calibration(self, ax: "Axes | None" = None, language: str = "en") -> "Axes":
        """Draw predicted against observed shares over all types; on the diagonal probabilities mean what they say."""
        from waage import style

        ax = _axes(ax)
        ax.plot([0, 1], [0, 1], color=style.MUTED, ls="--", lw=1)
        size = 20 + 180 * self.calibration.weight / self.calibration.weight.max()
        ax.plot(self.calibration.predicted, self.calibration.observed, color=style.ACCENT)
        ax.scatter(self.calibration.predicted, self.calibration.observed, s=size, color=style.ACCENT)
        ax.set_xlabel(_text("predicted", language))
        ax.set_ylabel(_text("observed", language))
        for axis in (ax.xaxis, ax.yaxis):
            style.axis_percent(axis, language)
        return ax


def fit_typing(
    X: pd.DataFrame,
    P: np.ndarray,
    w: np.ndarray,
    blocks: Mapping[str, Sequence[str]],
    *,
    types: Sequence[str],
    seed: int,
    channel: Sequence[str | None] | None = None,
    refit: Callable[[np.ndarray], Callable[[np.ndarray], np.ndarray]] | None = None,
    folds: int = 5,
    as_of: str | None = None,
    version: int = 1,
    history: str = "frequency",
    min_cell: int = 30,
) -> Typing:
    """Train the typing tool on respondents and measure it by cross-validation.

    Every respondent enters as K rows, one a type, weighted by posterior times survey weight; measures are weighted
    alike. The default is a multinomial logit with ridge, its strength chosen inside each training fold by log-loss;
    boosted trees replace it only if their out-of-fold log-loss is lower by more than one standard error.

    Parameters
    ----------
    X : DataFrame, shape (n, features)
        Behaviour as known before the interview, indexed by person_id (unique); NaN where unknown. Respondents
        without history (column `history` 0 or NaN) are left out of training and measures: they get their prior.
    P : array, shape (n, K)
        Posterior of the types given the answers; rows sum to 1.
    w : array, shape (n,)
        Survey weights, positive.
    blocks : mapping from block to columns of X
        The ladder, in order. No column may have been active in the typology: the quote would be optimistic.
    types : sequence of K str
    seed : int
        Draws folds, bootstrap and conformal halves; rows are sorted by index first, so their order does not matter.
    channel : sequence of str or None, length n, optional
        Channel of acquisition, for the priors.
    refit : function, optional
        From training positions (into X as given) to a function from positions to posteriors, its types matched to
        `types`. Gives `Typing.nested`.
    folds : int
    as_of, version : str, int
        Stored with the model.
    history : str
    min_cell : int
        `min_cell_survey`: a channel with fewer respondents has no prior, a type with fewer no figures of its own.

    Returns
    -------
    Typing

    Raises
    ------
    WaageError
        For shapes that do not fit, a repeated index, rows of P that do not sum to 1.
    Refusal
        If a type has fewer than 3 respondents per fold as its label.

    References
    ----------
    Varma and Simon (2006), Bias in error estimation when using cross-validation for model selection.
    """
    P, w = np.asarray(P, dtype=float), np.asarray(w, dtype=float)
    _check(X, P, w, blocks, types)
    positions = np.argsort(X.index.to_numpy(), kind="stable")
    priors = {} if channel is None else channel_priors(P, w, channel, min_cell=min_cell)
    prior = w @ P / w.sum()
    lives = X[history].fillna(0).to_numpy() > 0 if history in X else np.ones(len(X), dtype=bool)
    idle, positions = np.flatnonzero(~lives), positions[lives[positions]]
    X, P, w = X.iloc[positions].astype(float), P[positions], w[positions] / w[positions].mean()
    label = P.argmax(axis=1)
    few = {t: int(n) for t, n in zip(types, np.bincount(label, minlength=len(types)), strict=True) if n < 3 * folds}
    if few:
        raise Refusal(
            f"typing: fewer than {3 * folds} respondents with history are of {', '.join(few)}; so many are needed for "
            f"{folds} folds: choose fewer types"
        )
    parts = stratified_folds(label, folds, seed)
    steps = list(accumulate(tuple(columns) for columns in blocks.values()))
    base = _out_of_fold(lambda train: fit_constant(P[train], w[train]), X, parts, P.shape[1])
    runs = {"majority": base}
    for block, columns in zip(blocks, steps, strict=True):
        runs[block] = _out_of_fold(
            lambda t, c=columns: fit_logit(X.iloc[t][[*c]], P[t], w[t], seed), X, parts, P.shape[1]
        )
    loss = {step: accuracy.log_losses(Q, P) for step, Q in runs.items()}
    chosen = min(blocks, key=lambda step: w @ loss[step])
    columns = [*steps[list(blocks).index(chosen)]]
    runs["boosting"] = _out_of_fold(
        lambda t: fit_boosting(X.iloc[t][[*steps[-1]]], P[t], w[t], seed), X, parts, P.shape[1]
    )
    gain, error = _mean(loss[chosen] - accuracy.log_losses(runs["boosting"], P), w)
    logit = fit_logit(X[columns], P, w, seed)
    fit, model, rival = fit_logit, logit, chosen
    if gain > error:
        fit, chosen, columns = fit_boosting, "boosting", [*steps[-1]]
        model = fit_boosting(X[columns], P, w, seed)
    Q = runs[chosen]
    gain, error = _mean(accuracy.log_losses(base, P) - accuracy.log_losses(Q, P), w)
    head = accuracy.headline(Q, P, w, base) | {"log_loss_gain": gain, "std_error": error}
    lead = head["macro_f1"] - head["majority_macro_f1"]
    reason = "closed_f1" if lead < GATE_F1 else "closed_log_loss" if gain <= GATE_ERRORS * error else "open"
    sets = accuracy.conformal_sets(Q, label, seed)
    model = replace(
        model,
        types=tuple(types),
        prior=tuple(map(float, prior)),
        priors=priors,
        p_counts=tuple(bin_counts(Q[:, k], [i / 10 for i in range(1, 10)], w)[:-1] for k in range(P.shape[1])),
        conformal_cut=sets.cut,
        as_of=as_of,
        version=version,
        open=reason == "open",
    )
    return Typing(
        model=model,
        table=_ladder(runs, P, w, seed, chosen, rival, dict(zip(blocks, map(len, steps), strict=True))),
        headline=head,
        nested=refit and _nested(refit, fit, X[columns], w, parts, positions, idle, seed),
        per_type=accuracy.by_type(Q, P, w, types, min_cell),
        calibration=accuracy.calibration(Q, P, w, least=_SHOWN),
        thresholds=accuracy.thresholds(Q, P, w, types, min_cell),
        true_types=accuracy.denoised(Q, P, w),
        importance=_importance(logit, X, types),
        sets=sets,
        probabilities=pd.DataFrame(Q, index=X.index, columns=list(types)),
        n=len(X),
        without_history=len(idle),
        reason=reason,
    )


def usefulness(X: pd.DataFrame, P: np.ndarray, w: np.ndarray, *, seed: int, folds: int = 3) -> dict[str, float]:
    """Return what `fit_typing` would quote for a typology, from one logit on all columns; to compare numbers of types.

    Parameters
    ----------
    X, P, w, seed, folds
        As for `fit_typing`; respondents without history must be left out by the caller.

    Returns
    -------
    dict
        As `waage.typology.accuracy.headline`; macro_f1 minus majority_macro_f1 is what the gate looks at.
    """
    P, w = np.asarray(P, dtype=float), np.asarray(w, dtype=float)
    _check(X, P, w, {"all": [*X.columns]}, range(P.shape[1]))
    order = np.argsort(X.index.to_numpy(), kind="stable")
    X, P, w = X.iloc[order].astype(float), P[order], w[order] / w.mean()
    parts = stratified_folds(P.argmax(axis=1), folds, seed)
    base = _out_of_fold(lambda t: fit_constant(P[t], w[t]), X, parts, P.shape[1])
    Q = _out_of_fold(lambda t: fit_logit(X.iloc[t], P[t], w[t], seed), X, parts, P.shape[1])
    return accuracy.headline(Q, P, w, base)


def _out_of_fold(fit: Callable, X: pd.DataFrame, parts: Sequence[np.ndarray], K: int) -> np.ndarray:
    Q = np.empty((len(X), K))
    for test in parts:
        model = fit(np.setdiff1d(np.arange(len(X)), test))
        Q[test] = model.predict(X.iloc[test]) if model.scales else softmax(np.tile(model.intercepts, (len(test), 1)))
    return Q


def _nested(refit, fit, X, w, parts, positions, idle, seed) -> dict[str, float]:
    found = []
    for test in parts:
        train = np.setdiff1d(np.arange(len(X)), test)
        # Respondents without history help the typology, though not the typing.
        label = refit(np.sort(np.concatenate([positions[train], idle])))
        P, held = label(positions[train]), label(positions[test])
        base = np.tile(w[train] @ P / w[train].sum(), (len(test), 1))
        found.append((fit(X.iloc[train], P, w[train], seed).predict(X.iloc[test]), held, w[test], base))
    Q, P, weights, base = (np.concatenate(part) for part in zip(*found, strict=True))
    return accuracy.headline(Q, P, weights, base)


def _mean(values: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    mean = float(np.average(values, weights=w))
    return mean, float(np.sqrt((w**2 * (values - mean) ** 2).sum()) / w.sum())


def _ladder(runs, P, w, seed, chosen, rival, sizes) -> pd.DataFrame:
    names = [*runs]
    draws = accuracy.paired_bootstrap([*runs.values()], P, w, seed)
    point = {
        "accuracy": [np.trace(accuracy.confusion(Q, P, w)) / w.sum() for Q in runs.values()],
        "macro_f1": [accuracy.macro_f1(accuracy.confusion(Q, P, w)) for Q in runs.values()],
        "log_loss": [w @ accuracy.log_losses(Q, P) / w.sum() for Q in runs.values()],
        "denoised_accuracy": [np.trace(accuracy.denoised(Q, P, w)) for Q in runs.values()],
    }
    rows = []
    for i, name in enumerate(names):
        row = {"step": name, "features": sizes.get(name, 0 if name == "majority" else max(sizes.values()))}
        for measure, values in draws.items():
            row[measure] = point[measure][i]
            # Draws in which the label could not be corrected are left out.
            seen = values[~np.isnan(values[:, i]), i]
            ends = np.quantile(seen, [0.025, 0.975]) if len(seen) else (np.nan, np.nan)
            row[f"{measure}_low"], row[f"{measure}_high"] = ends
        before = names.index(rival) if name == "boosting" else i - 1
        for measure, sign in (("log_loss", -1), ("macro_f1", 1)):
            gain = sign * (draws[measure][:, i] - draws[measure][:, before]) if i else np.full(1, np.nan)
            row[f"gain_{measure}"] = sign * (point[measure][i] - point[measure][before]) if i else np.nan
            row[f"gain_{measure}_low"], row[f"gain_{measure}_high"] = np.quantile(gain, [0.025, 0.975])
        rows.append(row | {"chosen": name == chosen})
    return pd.DataFrame(rows)


def _importance(model: TypingModel, X: pd.DataFrame, types: Sequence[str]) -> pd.DataFrame:
    coefficients = np.array(model.coefficients)
    coefficients = coefficients - coefficients.mean(axis=0)
    top = np.abs(coefficients).argmax(axis=0)
    table = pd.DataFrame(
        {
            "feature": [*model.scales],
            "importance": np.sqrt((coefficients**2).mean(axis=0)),
            "type": [types[k] for k in top],
            "coefficient": coefficients[top, np.arange(len(top))],
            "missing": X[[*model.scales]].isna().mean().to_numpy(),
        }
    )
    return table.sort_values(["importance", "feature"], ascending=[False, True], ignore_index=True)


def _check(X, P, w, blocks, types) -> None:
    faults = []
    if P.shape != (len(X), len(types)) or w.shape != (len(X),):
        faults.append(f"P is {P.shape} and w {w.shape} for {len(X)} respondents and {len(types)} types")
    elif not np.allclose(P.sum(axis=1), 1, atol=1e-6) or (P < 0).any():
        faults.append("rows of P are not distributions; each must sum to 1")
    if not (w > 0).all() or not np.isfinite(w).all():
        faults.append("weights must be positive; leave out respondents without one")
    if len(set(types)) < len(types):
        faults.append(f"types {list(types)} are not all different")
    if not X.index.is_unique:
        faults.append(f"person {X.index[X.index.duplicated()][0]!r} occurs twice in X; keep one answer a person")
    faults += [f"block {name}: column {c!r} is not in X" for name, cs in blocks.items() for c in cs if c not in X]
    if faults or not blocks:
        raise WaageError("typing: " + ("; ".join(faults) or "no block of features given"))


def _axes(ax: "Axes | None") -> "Axes":
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(8, 4), layout="constrained")[1]
    return ax


def _text(key: str, language: str) -> str:
    return _TEXTS[key][language == "de"] if key in _TEXTS else f"+ {key}"
