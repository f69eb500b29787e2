"""How well behaviour tells a type: measures against the survey's label, and against the true type behind it."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from waage.stats import wilson

_DRAWS = 400
# Beyond this the label says too little of the true type to be corrected.
_CONDITION = 1e3


def confusion(Q: np.ndarray, P: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return weights by predicted type (rows) and label, the likeliest type by the answers (columns), shape (K, K)."""
    K = Q.shape[1]
    cell = Q.argmax(axis=1) * K + P.argmax(axis=1)
    return np.bincount(cell, weights=w, minlength=K * K).reshape(K, K)


def macro_f1(table: np.ndarray) -> np.ndarray:
    """Return the mean of the types' F1 (0 where a type is never right), from one or more tables of `confusion`."""
    right = np.diagonal(table, axis1=-2, axis2=-1)
    return (2 * right / np.maximum(table.sum(axis=-1) + table.sum(axis=-2), 1e-12)).mean(axis=-1)


def log_losses(Q: np.ndarray, P: np.ndarray) -> np.ndarray:
    """Return each respondent's log-loss, expected over the posterior, shape (n,), in nats."""
    return -(P * np.log(np.clip(Q, 1e-12, 1))).sum(axis=1)


def denoised(Q: np.ndarray, P: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return the joint distribution of predicted (rows) and TRUE type (columns), shape (K, K), sum 1.

    The label is itself often wrong, so that agreement with it understates the tool. With M the joint distribution of
    prediction and label and D that of the label given the true type, known from the posteriors, M = T D, hence
    T = M D^-1. This takes the prediction, given the true type, as independent of the label: behaviours must not be
    active variables of the typology. Where D cannot be inverted (a type no one has as label) all is NaN.
    """
    K = P.shape[1]
    mass = w[:, None] * P
    D = mass.T @ np.eye(K)[P.argmax(axis=1)] / np.maximum(mass.sum(axis=0), 1e-12)[:, None]
    if np.linalg.cond(D) > _CONDITION:
        return np.full((K, K), np.nan)
    return confusion(Q, P, w) @ np.linalg.inv(D) / w.sum()


def headline(Q: np.ndarray, P: np.ndarray, w: np.ndarray, base: np.ndarray) -> dict[str, float]:
    """Return the measures of one prediction.

    Parameters
    ----------
    Q, base : arrays, shape (n, K)
        Out-of-fold probabilities, and the mix of types in the training folds.
    P : array, shape (n, K)
        Posterior of the types given the answers.
    w : array, shape (n,)
        Survey weights; all measures are weighted.

    Returns
    -------
    dict
        Against the label: accuracy, majority_accuracy, prior_draw_accuracy (guessing by the mix), balanced_accuracy,
        macro_f1, majority_macro_f1, kappa, lift_over_majority and lift_over_prior_draw (ratios of accuracy). Expected
        over the posterior: log_loss, base_log_loss, brier and base_brier (multiclass, 0 to 2), ece (expected
        calibration error over all types); a model trained on posteriors is as blurred as these, so that against true
        types its probabilities are cautious. About the truth: label_ceiling (expected share of right labels) and
        denoised_accuracy.
    """
    table = confusion(Q, P, w) / w.sum()
    share = table.sum(axis=0)
    majority = confusion(base, P, w) / w.sum()
    accuracy, chance = np.trace(table), float(table.sum(axis=1) @ share)
    recall = np.diag(table)[share > 0] / share[share > 0]
    curve = calibration(Q, P, w)
    return {
        "accuracy": float(accuracy),
        "majority_accuracy": float(np.trace(majority)),
        "prior_draw_accuracy": float(share @ share),
        "balanced_accuracy": float(recall.mean()),
        "macro_f1": float(macro_f1(table)),
        "majority_macro_f1": float(macro_f1(majority)),
        "kappa": float((accuracy - chance) / (1 - chance)) if chance < 1 else 0.0,
        "lift_over_majority": float(accuracy / np.trace(majority)),
        "lift_over_prior_draw": float(accuracy / (share @ share)),
        "log_loss": float(np.average(log_losses(Q, P), weights=w)),
        "base_log_loss": float(np.average(log_losses(base, P), weights=w)),
        # Expected over the true type: (Q - e_t)^2 summed over the types.
        "brier": float(np.average((Q**2).sum(axis=1) - 2 * (P * Q).sum(axis=1) + 1, weights=w)),
        "base_brier": float(np.average((base**2).sum(axis=1) - 2 * (P * base).sum(axis=1) + 1, weights=w)),
        "ece": float((curve.weight * (curve.predicted - curve.observed).abs()).sum() / curve.weight.sum()),
        "label_ceiling": float(np.average(P.max(axis=1), weights=w)),
        "denoised_accuracy": float(np.trace(denoised(Q, P, w))),
    }


def calibration(Q: np.ndarray, P: np.ndarray, w: np.ndarray, bins: int = 10, least: float = 0.0) -> pd.DataFrame:
    """Return the reliability curve over all types' probabilities: predicted, observed (mean posterior), weight.

    Bins of less weight than `least` are joined with their neighbours.
    """
    place = np.minimum((Q * bins).astype(int), bins - 1).ravel()
    weight = np.repeat(w, Q.shape[1])
    sums = [np.bincount(place, weights=weight * v, minlength=bins) for v in (1, Q.ravel(), P.ravel())]
    curve = pd.DataFrame({"predicted": sums[1], "observed": sums[2], "weight": sums[0]})
    # Neighbours are joined until each holds enough to be shown.
    group, full = [], 0.0
    for weight in curve.weight:
        group.append((group[-1] + 1 if full >= least else group[-1]) if group else 0)
        full = weight if full >= least or len(group) == 1 else full + weight
    if full < least and group[-1]:
        group = [min(number, group[-1] - 1) for number in group]
    curve = curve.groupby(group).sum()
    curve = curve[curve.weight > 0].reset_index(drop=True)
    return curve.assign(predicted=curve.predicted / curve.weight, observed=curve.observed / curve.weight)


def by_type(Q: np.ndarray, P: np.ndarray, w: np.ndarray, types: Sequence[str], min_cell: int = 0) -> pd.DataFrame:
    """Return precision, recall and lift of each type against the label.

    Returns
    -------
    DataFrame
        type, share (of labels), predicted_share, precision and recall with _low and _high (Wilson, on effective
        counts, because weights cost precision), f1, lift_top_decile (share of the type among the tenth most probable
        over its share in all; what a campaign gets). Types with fewer labels than `min_cell` are hidden.
    """
    effective = w.sum() ** 2 / (w**2).sum() / w.sum()
    table, total = confusion(Q, P, w), w.sum()
    label, rows = P.argmax(axis=1), []
    for k, name in enumerate(types):
        row = {"type": name, "share": table[:, k].sum() / total, "predicted_share": table[k].sum() / total}
        for measure, size in (("precision", table[k].sum()), ("recall", table[:, k].sum())):
            low, high = wilson(min(table[k, k], size) * effective, size * effective)
            row |= {measure: table[k, k] / size if size else np.nan, f"{measure}_low": low, f"{measure}_high": high}
        row["f1"] = 2 * table[k, k] / max(table[k].sum() + table[:, k].sum(), 1e-12)
        # The respondent on the border of the tenth counts in part.
        order = np.argsort(-Q[:, k], kind="stable")
        inside = np.clip(total / 10 - (np.cumsum(w[order]) - w[order]), 0, w[order])
        top = float(inside @ (label[order] == k)) / inside.sum()
        row["lift_top_decile"] = top / row["share"] if row["share"] else np.nan
        rows.append(row)
    found = pd.DataFrame(rows)
    few = np.bincount(label, minlength=len(types)) < min_cell
    found.loc[few, found.columns.drop("type")] = np.nan
    return found


def thresholds(Q: np.ndarray, P: np.ndarray, w: np.ndarray, types: Sequence[str], min_cell: int = 0) -> pd.DataFrame:
    """Return what a threshold on a type's probability brings: who is above it, and how many of the type are.

    Returns
    -------
    DataFrame
        type, threshold (.3 to .95 by .05), n (those above, effective), right (share of those above who are of the
        type, by the posterior), reached (share of the type above). Thresholds that fewer than `min_cell` respondents
        pass are left out.
    """
    rows = []
    for k, name in enumerate(types):
        for step in range(30, 96, 5):
            above = Q[:, k] >= step / 100
            if above.sum() < max(min_cell, 1):
                break
            own = (w * P[:, k])[above].sum()
            n = w[above].sum() ** 2 / (w[above] ** 2).sum()
            rows.append((name, step / 100, n, own / w[above].sum(), own / (w * P[:, k]).sum()))
    return pd.DataFrame(rows, columns=["type", "threshold", "n", "right", "reached"]).astype({"threshold": float})


def paired_bootstrap(
    steps: Sequence[np.ndarray], P: np.ndarray, w: np.ndarray, seed: int, draws: int = _DRAWS
) -> dict[str, np.ndarray]:
    """Return draws of accuracy, macro_f1, log_loss and denoised_accuracy of several predictions of the same people.

    Returns
    -------
    dict from measure to array, shape (draws, steps)
        The same resampled respondents in all steps, so that differences between columns are paired.
    """
    n, K = P.shape
    # All measures are sums over respondents, so one matrix of resampled weights serves every step.
    picks = np.random.default_rng(seed).integers(0, n, (draws, n))
    sample = np.stack([np.bincount(pick, minlength=n) for pick in picks]) * w
    sample /= sample.sum(axis=1, keepdims=True)
    label = P.argmax(axis=1)
    mass = (sample @ (P[:, :, None] * np.eye(K)[label][:, None, :]).reshape(n, -1)).reshape(-1, K, K)
    D = mass / np.maximum(mass.sum(axis=2, keepdims=True), 1e-12)
    solvable = np.linalg.cond(D) <= _CONDITION
    inverse = np.full(D.shape, np.nan)
    inverse[solvable] = np.linalg.inv(D[solvable])
    found: dict[str, list] = {name: [] for name in ("accuracy", "macro_f1", "log_loss", "denoised_accuracy")}
    for Q in steps:
        table = (sample @ np.eye(K * K)[Q.argmax(axis=1) * K + label]).reshape(-1, K, K)
        found["accuracy"].append(np.trace(table, axis1=1, axis2=2))
        found["macro_f1"].append(macro_f1(table))
        found["log_loss"].append(sample @ log_losses(Q, P))
        found["denoised_accuracy"].append(np.trace(table @ inverse, axis1=1, axis2=2))
    return {name: np.column_stack(values) for name, values in found.items()}


@dataclass(frozen=True)
class ConformalSets:
    """Sets of types that hold a respondent's label with a stated confidence.

    Attributes
    ----------
    confidence, coverage : float
        Asked for, and found among respondents that were not calibrated on; both of the survey's label.
    mean_size, singletons, singletons_right : float
        Types per set; share of sets with one type, and share of these that are right.
    cut : float
        Smallest probability with which a type is in the set.
    """

    confidence: float
    coverage: float
    mean_size: float
    singletons: float
    singletons_right: float
    cut: float


def conformal_sets(Q: np.ndarray, label: np.ndarray, seed: int, confidence: float = 0.8) -> ConformalSets:
    """Calibrate conformal sets on one half of the respondents and measure them on the other, and the other way round.

    Parameters
    ----------
    Q : array, shape (n, K)
        Out-of-fold probabilities.
    label : array of int, shape (n,)
    seed : int
    confidence : float

    References
    ----------
    Sadinle, Lei and Wasserman (2019), Least ambiguous set-valued classifiers, JASA 114; MAPIE's `lac` score.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mapie.classification import SplitConformalClassifier
    half = np.random.default_rng(seed).permutation(len(Q)) % 2 == 0
    held, kinds = np.zeros(Q.shape, dtype=bool), np.arange(Q.shape[1])
    for mine in (half, ~half):
        tool = SplitConformalClassifier(_Given(kinds), confidence_level=confidence, conformity_score="lac", prefit=True)
        tool.conformalize(Q[mine], label[mine])
        held[~mine] = tool.predict_set(Q[~mine])[1][:, :, 0]
    size, right = held.sum(axis=1), held[np.arange(len(Q)), label]
    scores = np.sort(Q[np.arange(len(Q)), label])
    # The finite-sample rank of split conformal prediction, on all respondents.
    rank = int(np.floor((len(Q) + 1) * (1 - confidence)))
    single = size == 1
    return ConformalSets(
        confidence=confidence,
        coverage=float(right.mean()),
        mean_size=float(size.mean()),
        singletons=float(single.mean()),
        singletons_right=float(right[single].mean()) if single.any() else float("nan"),
        cut=float(scores[rank - 1]) if rank else 0.0,
    )


class _Given:
    """A fitted classifier, as MAPIE wants one, whose probabilities are its input."""

    def __init__(self, classes: np.ndarray):
        self.classes_ = classes

    def fit(self, X: np.ndarray, y: np.ndarray) -> "_Given":
        """Nothing to fit."""
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the input."""
        return X

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the likeliest class."""
        return self.classes_[X.argmax(axis=1)]
