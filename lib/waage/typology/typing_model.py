"""The stored typing model: numbers for JSON, and what they predict for a sample in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd

from waage.errors import WaageError, did_you_mean


@dataclass(frozen=True)
class Scale:
    """What happens to a feature before the model sees it: transform, limits of training, mean and spread.

    Attributes
    ----------
    transform : {"log", "sqrt", "none"}
        log is ln(1 + x), both after raising x to 0. Missing values become the mean.
    low, high : float
        Range of the transformed training values; beyond it a customer counts as at its end, because nobody has
        measured how the curve goes on.
    mean, spread : float
        Of the transformed training values.
    breaks, counts : tuples
        Inclusive upper bounds of the raw feature's drift bins, and the respondents in them; the last but one is the
        bin above all bounds, the last that of missing values.
    """

    transform: str
    low: float
    high: float
    mean: float
    spread: float
    breaks: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return standardised values, shape (n,); 0 where missing."""
        return np.nan_to_num(
            (np.clip(transformed(values, self.transform), self.low, self.high) - self.mean) / self.spread
        )


@dataclass(frozen=True)
class TypingModel:
    """A typing model as numbers, for JSON.

    Attributes
    ----------
    types : tuple of str
        K names.
    scales : dict from feature to `Scale`
        p features, in the order of the coefficients.
    intercepts, coefficients : tuple of K floats, tuple of K tuples of p floats
        Of the multinomial logit on standardised features.
    trees : tuple of K tuples of trees
        Empty, or boosted trees in place of the coefficients: a tree is a leaf's value or (feature number, threshold,
        tree where the standardised feature is <= threshold, tree where not).
    prior : tuple of K floats
        Weighted shares of the types among respondents.
    priors : dict from channel to K floats
        The same by channel of acquisition, see `channel_priors`.
    p_counts : tuple of K tuples
        Respondents per tenth of each type's out-of-fold probability.
    conformal_cut : float
        A customer's set holds the types with at least this probability.
    as_of, version, open
        Day of training (ISO), number of the training, and whether the gate let the model out.
    """

    types: tuple[str, ...]
    scales: Mapping[str, Scale]
    intercepts: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]
    prior: tuple[float, ...]
    priors: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    trees: tuple = ()
    p_counts: tuple[tuple[float, ...], ...] = ()
    conformal_cut: float = 0.0
    as_of: str | None = None
    version: int = 1
    open: bool = True

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return probabilities, shape (n, K), computed in memory; for samples and for checking `assign`."""
        require_features(self.scales, X.columns)
        Z = np.column_stack([scale.apply(X[name].to_numpy(dtype=float)) for name, scale in self.scales.items()])
        scores = np.tile(np.array(self.intercepts), (len(X), 1))
        for place, trees in enumerate(self.trees):
            for tree in trees:
                scores[:, place] += _grow(tree, Z)
        if not self.trees:
            scores = scores + Z @ np.array(self.coefficients).T
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain numbers, lists and strings."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "TypingModel":
        """Return the model that `to_dict` stored.

        Raises
        ------
        WaageError
            If keys are missing or unknown, or the numbers do not fit together.
        """
        names = [part.name for part in fields(cls)]
        wrong = [f"{key!r} is unknown{did_you_mean(key, names)}" for key in stored if key not in names]
        wrong += [f"{key!r} is missing" for key in names if key not in stored]
        if wrong:
            raise WaageError("typing model: " + "; ".join(wrong) + "; train it again")
        scales = {name: Scale(**{k: _frozen(v) for k, v in scale.items()}) for name, scale in stored["scales"].items()}
        priors = {channel: _frozen(prior) for channel, prior in stored["priors"].items()}
        rest = {key: _frozen(stored[key]) for key in names if key not in ("scales", "priors")}
        model = cls(scales=scales, priors=priors, **rest)
        sizes = [len(model.intercepts), len(model.coefficients), len(model.prior), *map(len, priors.values())]
        if set(sizes) != {len(model.types)} or {len(row) for row in model.coefficients} != {len(scales)}:
            raise WaageError(f"typing model: numbers for {sizes} types, {len(model.types)} named; train it again")
        return model


def transformed(values: np.ndarray, transform: str) -> np.ndarray:
    """Return values after log, sqrt or none, see `Scale`."""
    if transform == "none":
        return values
    values = np.where(np.isnan(values), np.nan, np.maximum(values, 0))
    # Not log1p: engines have none, and both sides must agree.
    return np.log(1 + values) if transform == "log" else np.sqrt(values)


def bin_counts(values: np.ndarray, breaks: Sequence[float], w: np.ndarray) -> tuple[float, ...]:
    """Return weighted counts per bin (len(breaks) + 1), then those of missing values."""
    place = np.where(np.isnan(values), len(breaks) + 1, np.searchsorted(breaks, values, side="left"))
    return tuple(map(float, np.bincount(place, weights=w, minlength=len(breaks) + 2)))


def require_features(needed: Sequence[str] | Mapping[str, Any], columns: Sequence[str]) -> None:
    """Refuse a table that lacks features of the model, naming them."""
    missing = [f"{name!r}{did_you_mean(name, columns)}" for name in needed if name not in columns]
    if missing:
        raise WaageError(f"typing model: features lack {', '.join(missing)}, which the model was trained on")


def _grow(tree: Any, Z: np.ndarray) -> np.ndarray:
    if isinstance(tree, int | float):
        return np.full(len(Z), float(tree))
    place, threshold, left, right = tree
    return np.where(Z[:, place] <= threshold, _grow(left, Z), _grow(right, Z))


def _frozen(value: Any) -> Any:
    return tuple(_frozen(part) for part in value) if isinstance(value, list | tuple) else value
