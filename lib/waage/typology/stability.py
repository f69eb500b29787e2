"""Whether types come back: bootstraps of a latent class model, and a verdict in one word."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix

from waage.errors import Refusal
from waage.typology.classes import Classes, fit_classes

#: Jaccard bands of fpc's manual (Hennig 2007): highly stable, and valid.
HIGHLY_STABLE, VALID = 0.85, 0.75
#: Prediction strength from which groups count as there (Tibshirani and Walther 2005); the global ARI's is a judgement.
PREDICTION_STRENGTH, GLOBAL_ARI = 0.8, 0.8
#: Types that more resamples than this leaves cannot carry have not come back (judgement).
MOST_FITTED = 0.8


def bootstrap_stability(
    answers: pd.DataFrame,
    kinds: Mapping[str, str],
    model: Classes,
    weights: Sequence[float] | None,
    n_bootstrap: int,
    n_init: int,
    seed: int,
    workers: Parallel,
) -> dict:
    """Fit the model's classes to resamples, predict everybody with each, and compare.

    Parameters
    ----------
    answers, kinds, weights
        As for `fit_classes`.
    model : Classes
        The fit to all, with its posterior.
    n_bootstrap, n_init, seed : int
        Resamples, random starts of each, and what both follow from.
    workers : joblib.Parallel
        Who does the work; their number does not change the result.

    Returns
    -------
    dict
        jaccard (mean over classes, by share), jaccard_low (of the weakest class), ari (median over pairs of
        bootstraps), prediction_strength (mean over pairs), bootstraps (those that could be fitted), verdict, and
        segments (DataFrame: k, type, share, jaccard, jaccard_low).

    References
    ----------
    Hennig (2007); Dolnicar and Leisch (2010, 2017); Tibshirani and Walther (2005), as in `choose_k`.
    """
    weights = np.ones(len(answers)) if weights is None else np.asarray(weights, dtype=float)
    seeds = np.random.SeedSequence([seed, model.k]).generate_state(n_bootstrap).tolist()
    fits = workers(delayed(_bootstrap)(answers, kinds, model.k, weights, n_init, one) for one in seeds)
    labels = [found for found in fits if found is not None]
    if len(labels) < 2:
        jaccard, ari, strength = np.zeros((1, model.k)), 0.0, 0.0
    else:
        mine = model.posterior.argmax(axis=1)
        jaccard = np.array([_jaccard(mine, theirs, model.k) for theirs in labels])
        pairs = list(combinations(labels, 2))
        ari = float(np.median([adjusted_rand_score(a, b) for a, b in pairs]))
        strength = float(np.mean([min(_strength(a, b), _strength(b, a)) for a, b in pairs]))
    means = jaccard.mean(axis=0)
    by_share, low = float(means @ model.shares), float(means.min())
    if len(labels) < MOST_FITTED * n_bootstrap:
        verdict = "constructed"
    elif low >= HIGHLY_STABLE and ari >= GLOBAL_ARI and strength >= PREDICTION_STRENGTH:
        verdict = "natural"
    else:
        verdict = "reproducible" if low >= VALID else "constructed"
    segments = {"k": model.k, "type": model.ids, "share": model.shares, "jaccard": means}
    segments = pd.DataFrame(segments | {"jaccard_low": np.quantile(jaccard, 0.05, axis=0)})
    found = {"jaccard": by_share, "jaccard_low": low, "ari": ari, "prediction_strength": strength}
    return found | {"bootstraps": len(labels), "verdict": verdict, "segments": segments}


def _bootstrap(answers, kinds, k: int, weights: np.ndarray, n_init: int, seed: int) -> np.ndarray | None:
    """Return everybody's class in the fit to one resample; None where the resample carries no k classes."""
    n = len(answers)
    drawn = np.bincount(np.random.default_rng(seed).integers(n, size=n), minlength=n)
    rows = drawn > 0
    try:
        fitted = fit_classes(
            answers[rows],
            kinds,
            k,
            weights=(weights * drawn)[rows],
            n_init=n_init,
            n_final=3,
            seed=seed,
            tolerance=1e-6,
        )
    except Refusal:
        return None
    return fitted.predict(answers).argmax(axis=1)


def _jaccard(mine: np.ndarray, theirs: np.ndarray, k: int) -> np.ndarray:
    """Return each class' Jaccard coefficient with its best match, 0 for a class nobody is in."""
    both = np.zeros((k, k))
    np.add.at(both, (mine, theirs), 1)
    either = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    return (both / np.maximum(either, 1)).max(axis=1)


def _strength(a: np.ndarray, b: np.ndarray) -> float:
    """Return the share of pairs within a class of a that b keeps together, for the class of a that fares worst."""
    cells = contingency_matrix(a, b).astype(float)
    size = cells.sum(axis=1)
    kept = (cells * (cells - 1)).sum(axis=1)[size > 1] / (size * (size - 1))[size > 1]
    return float(kept.min()) if len(kept) else 0.0
