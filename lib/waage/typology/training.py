"""The models that a typing tool chooses from, trained on fractional labels: mix, ridge logit, boosted trees."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from waage.errors import WaageError
from waage.typology.accuracy import log_losses
from waage.typology.typing_model import Scale, TypingModel, bin_counts, transformed

#: Ridge strengths tried, from strong to weak.
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def fit_logit(X: pd.DataFrame, P: np.ndarray, w: np.ndarray, seed: int) -> TypingModel:
    """Fit the ridge logit, its strength by three inner folds."""
    losses = np.zeros(len(STRENGTHS))
    with _one_thread():
        for test in stratified_folds(P.argmax(axis=1), 3, seed + 1):
            train = np.setdiff1d(np.arange(len(X)), test)
            scales = _scales(X.iloc[train], w[train])
            Z, held = _standard(X.iloc[train], scales), _standard(X.iloc[test], scales)
            path = _ridge(Z, P[train], w[train], STRENGTHS, tolerance=1e-3)
            for i, (intercepts, coefficients) in enumerate(path):
                losses[i] += w[test] @ log_losses(softmax(held @ coefficients.T + intercepts), P[test])
        scales = _scales(X, w)
        best = STRENGTHS[int(losses.argmin())]
        [(intercepts, coefficients)] = _ridge(_standard(X, scales), P, w, [best], tolerance=1e-6)
    return _model(scales, P, intercepts, coefficients)


def _ridge(
    Z: np.ndarray, P: np.ndarray, w: np.ndarray, strengths: Sequence[float], tolerance: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.linear_model import LogisticRegression

    rows, kinds, weights = _fractions(P, w)
    # C weighs the likelihood, whose size is the number of respondents; each fit starts where the last one ended.
    tool, path = LogisticRegression(tol=tolerance, max_iter=2000, warm_start=True), []
    for strength in strengths:
        tool.set_params(C=strength).fit(Z[rows], kinds, sample_weight=weights)
        intercepts, coefficients = tool.intercept_.copy(), tool.coef_.copy()
        if len(coefficients) == 1:  # two types: one row of log odds, halved over both
            intercepts, coefficients = np.array([-0.5, 0.5]) * intercepts[0], np.outer([-0.5, 0.5], coefficients[0])
        path.append((intercepts, coefficients))
    return path


def _one_thread() -> AbstractContextManager:
    # Matrices of this size gain nothing from threads, and their sums keep one order.
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def fit_boosting(X: pd.DataFrame, P: np.ndarray, w: np.ndarray, seed: int) -> TypingModel:
    """Fit boosted trees on the same standardised features."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    scales = _scales(X, w)
    Z = _standard(X, scales)
    rows, kinds, weights = _fractions(P, w)
    # Small trees, few rounds and coarse bins: at some thousand respondents more only fits noise.
    size = {"max_iter": 60, "learning_rate": 0.08, "max_leaf_nodes": 6, "min_samples_leaf": 40, "max_bins": 32}
    tool = HistGradientBoostingClassifier(**size, early_stopping=False, random_state=seed)
    with _one_thread():
        tool.fit(Z[rows], kinds, sample_weight=weights)
    start = np.ravel(tool._baseline_prediction)
    trees = [[_tree(step[k].nodes) for step in tool._predictors] for k in range(len(start))]
    if len(start) == 1:
        half = [_halved(tree, -1) for tree in trees[0]], [_halved(tree, 1) for tree in trees[0]]
        start, trees = np.array([-0.5, 0.5]) * start[0], half
    model = _model(scales, P, start, np.zeros((P.shape[1], len(scales))))
    model = replace(model, trees=tuple(map(tuple, trees)))
    # The trees are read from scikit-learn's insides, which another version may arrange otherwise.
    if not np.allclose(model.predict(X.head(200)), tool.predict_proba(Z[:200]), atol=1e-9):
        raise WaageError("typing: the trees of this scikit-learn cannot be read; use scikit-learn 1.6 to 1.9")
    return model


def _tree(nodes: np.ndarray, place: int = 0) -> Any:
    node = nodes[place]
    if node["is_leaf"]:
        return float(node["value"])
    split = int(node["feature_idx"]), float(node["num_threshold"])
    return (*split, _tree(nodes, int(node["left"])), _tree(nodes, int(node["right"])))


def _halved(tree: Any, sign: int) -> Any:
    if isinstance(tree, float):
        return sign * tree / 2
    return (*tree[:2], _halved(tree[2], sign), _halved(tree[3], sign))


def fit_constant(P: np.ndarray, w: np.ndarray) -> TypingModel:
    """Return the weighted mix of types for everybody."""
    return _model({}, P, np.log(np.maximum(w @ P / w.sum(), 1e-12)), np.zeros((P.shape[1], 0)))


def _model(scales: dict, P: np.ndarray, intercepts: np.ndarray, coefficients: np.ndarray) -> TypingModel:
    return TypingModel(
        types=tuple(map(str, range(P.shape[1]))),
        scales=scales,
        intercepts=tuple(map(float, intercepts)),
        coefficients=tuple(tuple(map(float, row)) for row in coefficients),
        prior=(),
    )


def _fractions(P: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # Posteriors below a thousandth move no coefficient and would make five rows of one.
    rows, kinds = np.nonzero(P > 1e-3)
    kept = np.where(P > 1e-3, P, 0)
    return rows, kinds, w[rows] * (kept / kept.sum(axis=1, keepdims=True))[rows, kinds]


def _scales(X: pd.DataFrame, w: np.ndarray) -> dict[str, Scale]:
    found = {}
    for name in X.columns:
        raw = X[name].to_numpy(dtype=float)
        known = ~np.isnan(raw)
        if not known.any():
            found[name] = Scale("none", 0.0, 0.0, 0.0, 1.0)
            continue
        values, weights = raw[known], w[known]
        # Shares are spread by the root, counts and money by the log; what is often negative stays as it is.
        share = values.min() >= 0 and values.max() <= 1
        kind = "sqrt" if share else "log" if np.quantile(values, 0.02) >= 0 else "none"
        seen = transformed(values, kind)
        mean = np.average(seen, weights=weights)
        spread = np.sqrt(np.average((seen - mean) ** 2, weights=weights))
        breaks = np.unique(np.quantile(values, np.arange(1, 10) / 10, method="higher"))
        found[name] = Scale(
            transform=kind,
            low=float(seen.min()),
            high=float(seen.max()),
            mean=float(mean),
            spread=float(spread) if spread > 1e-12 else 1.0,
            breaks=tuple(map(float, breaks)),
            counts=bin_counts(raw, breaks, w),
        )
    return found


def _standard(X: pd.DataFrame, scales: Mapping[str, Scale]) -> np.ndarray:
    return np.column_stack([scale.apply(X[name].to_numpy(dtype=float)) for name, scale in scales.items()])


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return probabilities from scores, by row."""
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def stratified_folds(label: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """Return the test positions of each fold, every type spread evenly over them."""
    from sklearn.model_selection import StratifiedKFold

    parts = StratifiedKFold(folds, shuffle=True, random_state=seed).split(label, label)
    return [test for _, test in parts]
