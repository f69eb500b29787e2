"""Latent classes of answers, found by StepMix; what it finds becomes a model of plain numbers."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from waage.errors import Refusal, WaageError, did_you_mean
from waage.typology.class_model import TINY, Classes, coded, profile_hash, scaled

__all__ = ["KINDS", "Classes", "fit_classes"]

KINDS = ("binary", "categorical", "gaussian")

# Of an item's variance; below it a class sits on one answer, and the likelihood has no bound (judgement).
_COLLAPSED = 0.01
_SCREEN = 40  # iterations after which starts are compared; Mplus' STARTS = 50 10 does the same
_SAME = 0.01  # log-likelihoods this close are one solution (judgement)


def fit_classes(
    answers: pd.DataFrame,
    kinds: Mapping[str, str],
    k: int,
    *,
    weights: Sequence[float] | None = None,
    n_init: int = 50,
    n_final: int = 10,
    seed: int = 0,
    max_iter: int = 1000,
    tolerance: float = 1e-8,
    n_jobs: int = 1,
) -> Classes:
    """Fit k latent classes by maximum likelihood, missing answers by FIML.

    Answers are independent within a class. Ordered answers have no kind of their own in StepMix: they are nominal
    (categorical) or numbers (gaussian, own variance in each class).

    Parameters
    ----------
    answers : DataFrame, shape (n, items)
        One row a respondent, NaN where not answered; columns without a kind are left out.
    kinds : mapping of str to str
        Item to binary (0 and 1), categorical (any labels) or gaussian (numbers).
    k : int
        Number of classes, at least 1.
    weights : sequence of float, shape (n,), optional
        Positive; scaled to add up to n.
    n_init : int
        Random starts, each with a seed of its own.
    n_final : int
        Starts that are carried to the end: those that are best after at most 40 iterations.
    seed : int
        The result does not depend on `n_jobs`.
    max_iter : int
        Iterations of a start.
    tolerance : float
        Gain in log-likelihood a respondent at which a start ends.
    n_jobs : int
        Processes; -1 uses all cores.

    Raises
    ------
    WaageError
        If an item, a kind, a binary answer or a weight is not what it should be.
    Refusal
        If an item is answered the same by all, the parameters outnumber the respondents, or every start ends with
        a class of less than one respondent or with one that sits on a single answer.

    References
    ----------
    Morin et al. (2025), StepMix: a Python package for pseudo-likelihood estimation of generalized mixture models
    with external variables, Journal of Statistical Software 113(8). Vermunt and Magidson (2002), Latent class
    cluster analysis.
    """
    _check(answers, kinds, k)
    weights = scaled(weights, len(answers))
    coding = _coding(answers, kinds)
    free = {"binary": 1, "gaussian": 2}
    n_parameters = k - 1 + k * sum(free.get(code["kind"]) or len(code["levels"]) - 1 for code in coding.values())
    if n_parameters > len(answers):
        raise Refusal(
            f"{k} classes of {len(coding)} items have {n_parameters} parameters, more than the {len(answers)} "
            "respondents; ask for fewer classes or items"
        )
    matrix, blocks = _design(answers, coding)
    seeds = np.random.SeedSequence(seed).generate_state(n_init).tolist()

    def run(chosen: Sequence[int], **settings) -> list[tuple]:
        settings |= {"measurement_params": {"blocks": blocks}}
        starts = Parallel(n_jobs=n_jobs)(delayed(_start)(k, matrix, weights, one, settings) for one in chosen)
        ended = [(*start, one) for start, one in zip(starts, chosen, strict=True) if start]
        return sorted((start for start in ended if _sound(start, answers, coding)), key=lambda start: -start[0])

    if n_init > n_final:
        seeds = [start[-1] for start in run(seeds, max_iter=_SCREEN, abs_tol=1e-5)[:n_final]]
    ended = run(seeds, max_iter=max_iter, abs_tol=tolerance)
    if not ended:
        raise Refusal(
            f"{k} classes are more than the answers of {len(answers)} respondents to {len(coding)} items carry: each "
            f"of {n_init} starts ended with a class of less than one respondent or on a single answer; ask for fewer"
        )
    loglik, shares, raw, _ = ended[0]
    items = _items(raw, coding)
    replicated = int(sum(start[0] > loglik - _SAME for start in ended))
    found = Classes(
        items, shares, tuple(range(1, k + 1)), len(answers), 0.0, n_parameters, 0.0, 0.0, replicated, len(ended), seed
    )
    order = sorted(range(k), key=lambda i: (-round(shares[i], 9), profile_hash(items, i)))
    found = replace(found.in_order(order), ids=found.ids)
    joint = found.joint_log_density(answers)
    total = logsumexp(joint, axis=1)
    log_p = joint - total[:, None]
    p = np.exp(log_p)
    return replace(
        found,
        loglik=float(weights @ total),
        entropy=float(-(weights @ (p * log_p).sum(axis=1))),
        log_modal=float(weights @ log_p.max(axis=1)),
        posterior=p,
    )


def _start(k: int, matrix: np.ndarray, weights: np.ndarray, seed: int, settings: dict) -> tuple | None:
    """Return log-likelihood, shares and StepMix' parameters of one start; None where a class died on the way."""
    from stepmix.stepmix import StepMix

    from waage.typology.emission import ANSWERS

    model = StepMix(k, measurement=ANSWERS, random_state=seed, n_init=1, progress_bar=0, verbose=0, **settings)
    # A class that collapses divides by zero; StepMix would go on with NaN up to the last iteration. Matrices of this
    # size gain nothing from threads, and their sums keep one order.
    with warnings.catch_warnings(), np.errstate(divide="raise", invalid="raise"), threadpool_limits(1):
        warnings.simplefilter("ignore")
        try:
            model.fit(matrix, sample_weight=weights)
        except (FloatingPointError, ValueError):
            return None
    found = model.get_parameters()
    return model.lower_bound_buffer_[0] * weights.sum(), found["weights"], found["measurement"]


def _sound(start: tuple, answers: pd.DataFrame, coding: Mapping[str, dict]) -> bool:
    """Tell whether every class holds a respondent and no class sits on a single answer."""
    _, shares, raw, _ = start
    if shares.min() * len(answers) < 1:
        return False
    of_all = [np.nanvar(answers[item].to_numpy(float)) for item, code in coding.items() if code["kind"] == "gaussian"]
    return not of_all or bool((raw["gaussian"]["covariances"] >= _COLLAPSED * np.array(of_all)).all())


def _check(answers: pd.DataFrame, kinds: Mapping[str, str], k: int) -> None:
    faults = [] if k >= 1 else [f"k = {k} is not a number of classes"]
    faults += [] if kinds else ["kinds names no item"]
    for item, kind in kinds.items():
        if kind not in KINDS:
            faults.append(f"kind {kind!r} of item {item} is none of {', '.join(KINDS)}{did_you_mean(kind, KINDS)}")
        if item not in answers:
            faults.append(f"item {item} is not among the answers{did_you_mean(item, answers.columns)}")
    if faults:
        raise WaageError("fit_classes: " + "; ".join(faults))
    same = [item for item in kinds if answers[item].nunique() < 2]
    if same:
        raise Refusal(
            f"Nothing can be learnt from {', '.join(same)}: all respondents gave the same answer or none; take "
            f"{'it' if len(same) == 1 else 'them'} out of the active items"
        )


def _coding(answers: pd.DataFrame, kinds: Mapping[str, str]) -> dict[str, dict]:
    """Return the items, kind by kind as StepMix wants them, with the levels of the categorical ones."""
    coding = {item: {"kind": kinds[item]} for kind in KINDS for item in kinds if kinds[item] == kind}
    for item, code in coding.items():
        if code["kind"] == "categorical":
            levels = sorted(answers[item].dropna().unique().tolist(), key=lambda level: (str(type(level)), level))
            code["levels"] = levels
    return coding


def _design(answers: pd.DataFrame, coding: Mapping[str, dict]) -> tuple[np.ndarray, dict]:
    """Return the answers as one matrix, and what is in it: kind to columns and columns an item, see `Answers`."""
    parts, blocks = [], {}
    widest = max((len(code["levels"]) for code in coding.values() if "levels" in code), default=0)
    for kind in KINDS:
        of_kind = {item: code for item, code in coding.items() if code["kind"] == kind}
        if not of_kind:
            continue
        columns = np.column_stack([coded(answers, item, code) for item, code in of_kind.items()]).astype(float)
        if kind != "gaussian":
            columns[columns < 0] = np.nan
        width = 1
        if kind == "categorical":
            hot = (columns[..., None] == np.arange(widest)).astype(float)
            hot[np.isnan(columns)] = np.nan
            columns, width = hot.reshape(len(hot), -1), widest
        blocks[kind] = columns.shape[1], width
        parts.append(columns)
    return np.hstack(parts), blocks


def _items(raw: Mapping, coding: Mapping[str, dict]) -> dict[str, dict]:
    """Return StepMix' parameters item by item."""
    items, at = {}, dict.fromkeys(KINDS, 0)
    for item, code in coding.items():
        kind, block = code["kind"], raw[code["kind"]]
        j, at[kind] = at[kind], at[kind] + 1
        if kind == "gaussian":
            values = {"mean": block["means"][:, j], "variance": block["covariances"][:, j]}
        else:
            p = np.clip(block["pis"], TINY, 1 - TINY)
            start, width = j * block.get("max_n_outcomes", 1), len(code.get("levels", [1]))
            values = {"p": p[:, j] if kind == "binary" else p[:, start : start + width]}
        items[item] = code | {name: value.tolist() for name, value in values.items()}
    return items
