"""A latent class model as plain numbers: who answers what, and which class an answer speaks for. No StepMix needed."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp

from waage.errors import WaageError, did_you_mean

TINY = 1e-15  # where StepMix cuts probabilities; the same here, or posteriors would differ


@dataclass(frozen=True)
class Classes:
    """A latent class model, as `fit_classes` finds it: classes in the order of size, named 1 to k.

    Attributes
    ----------
    items : dict
        Item to what the classes answer: kind with, for each class, p (binary: probability of a 1), levels and p
        (categorical: one list of probabilities a class) or mean and variance (gaussian).
    shares : ndarray, shape (k,)
        Share of each class in the weighted sample.
    ids : tuple of int
        The classes' lasting names; `matched` carries them over from an earlier fit.
    n : int
        Respondents; weights are scaled to add up to it.
    loglik, n_parameters : float, int
        Weighted log-likelihood; free parameters.
    entropy, log_modal : float
        Weighted sums over respondents of -sum p log p and of log max p, from which ICL and relative entropy follow.
    replicated, finished, seed : int
        Starts that reached the best log-likelihood (one of many is a warning), of how many that were carried to the
        end, from which seed.
    posterior : ndarray, shape (n, k), or None
        Probability of each class for each respondent; None in a model that was read, which holds no persons.
    """

    items: dict[str, dict]
    shares: np.ndarray
    ids: tuple[int, ...]
    n: int
    loglik: float
    n_parameters: int
    entropy: float
    log_modal: float
    replicated: int
    finished: int
    seed: int
    posterior: np.ndarray | None = field(default=None, repr=False)

    @property
    def k(self) -> int:
        """Number of classes."""
        return len(self.shares)

    @property
    def aic(self) -> float:
        """Akaike's criterion, -2 loglik + 2 parameters; lower is better, as with all four."""
        return -2 * self.loglik + 2 * self.n_parameters

    @property
    def bic(self) -> float:
        """Schwarz' criterion with the weights scaled to n; StepMix' own ignores weights."""
        return -2 * self.loglik + self.n_parameters * np.log(self.n)

    @property
    def sabic(self) -> float:
        """BIC with n replaced by (n + 2) / 24 (Sclove 1987, Psychometrika 52)."""
        return -2 * self.loglik + self.n_parameters * np.log((self.n + 2) / 24)

    @property
    def icl(self) -> float:
        """BIC + 2 entropy (McLachlan and Peel 2000, section 6.10; the convention of Latent GOLD's ICL-BIC)."""
        return self.bic + 2 * self.entropy

    @property
    def icl_modal(self) -> float:
        """BIC - 2 sum log max posterior (Biernacki, Celeux and Govaert 2000; the convention of flexmix)."""
        return self.bic - 2 * self.log_modal

    @property
    def relative_entropy(self) -> float:
        """1 - entropy / (n log k): 1 where every respondent's class is certain; NaN for one class."""
        return 1 - self.entropy / (self.n * np.log(self.k)) if self.k > 1 else np.nan

    @property
    def summary(self) -> pd.Series:
        """The criteria as one row."""
        names = ("k", "loglik", "n_parameters", "bic", "sabic", "aic", "icl", "icl_modal", "relative_entropy")
        return pd.Series({name: getattr(self, name) for name in (*names, "replicated", "finished")})

    @property
    def table(self) -> pd.DataFrame:
        """What the classes answer: item, level (empty for binary and gaussian items), total and one column an id."""
        rows = []
        for item, answer in self.items.items():
            values = np.asarray(answer["mean"] if answer["kind"] == "gaussian" else answer["p"])
            levels = answer.get("levels", [""])
            for level, row in zip(levels, values.reshape(self.k, -1).T, strict=True):
                rows.append((item, level, row @ self.shares, *row))
        return pd.DataFrame(rows, columns=["item", "level", "total", *self.ids])

    def predict(self, answers: pd.DataFrame) -> np.ndarray:
        """Return the posterior probabilities of the classes, shape (n, k).

        What is not answered, and a level that nobody in the fit had given, says nothing; who answered nothing at all
        gets the shares.

        Parameters
        ----------
        answers : DataFrame
            One row a respondent; the columns of the fit, NaN where not answered. Further columns are ignored.

        Raises
        ------
        WaageError
            If an item is missing, or a binary answer is neither 0 nor 1.
        """
        joint = self.joint_log_density(answers)
        return np.exp(joint - logsumexp(joint, axis=1, keepdims=True))

    def bivariate_residuals(self, answers: pd.DataFrame, weights: Sequence[float] | None = None) -> pd.DataFrame:
        """Return how much each pair of items still goes together within the classes.

        For one class and two nominal items it is Pearson's chi-squared per degree of freedom; with more classes the
        residuals are weighted with the posteriors. About 1 or less where the classes explain the pair; values
        above 3.84 point to local dependence: two items ask one thing, or a class is missing.

        Returns
        -------
        DataFrame
            item_a, item_b, residual, largest first; direction: 1 or -1 where both items have an order and go together
            more, or less, often than the classes explain, 0 where one is nominal.

        References
        ----------
        Vermunt and Magidson (2005), Technical guide for Latent GOLD 4.0, section 8.2.
        """
        posterior = self.predict(answers)
        mass = np.sqrt(posterior * scaled(weights, len(answers))[:, None])
        residuals, freedom = [], []
        for item, answer in self.items.items():
            values = coded(answers, item, answer)
            if answer["kind"] == "gaussian":
                mean, variance = np.asarray(answer["mean"]), np.asarray(answer["variance"])
                residual = np.nan_to_num((values[:, None] - mean) / np.sqrt(variance))[..., None]
            else:
                p = _probabilities(answer)
                hit = values[:, None] == np.arange(p.shape[1])
                residual = (hit[:, None, :] - p) / np.sqrt(np.maximum(p, TINY)) * (values >= 0)[:, None, None]
            residuals.append((mass[..., None] * residual).reshape(-1, residual.shape[2]))
            freedom.append(max(residual.shape[2] - 1, 1))
        rows, names = [], list(self.items)
        for b, of_b in enumerate(residuals):
            for a, of_a in enumerate(residuals[:b]):
                both = (~answers[[names[a], names[b]]].isna()).all(axis=1).sum()
                product = of_a.T @ of_b
                ordered = "categorical" not in (self.items[names[a]]["kind"], self.items[names[b]]["kind"])
                direction = int(np.sign(product[-1, -1])) if ordered else 0
                rows.append((names[a], names[b], (product**2).sum() / both / (freedom[a] * freedom[b]), direction))
        table = pd.DataFrame(rows, columns=["item_a", "item_b", "residual", "direction"])
        return table.sort_values("residual", ascending=False, ignore_index=True)

    def matched(self, earlier: "Classes") -> "Classes":
        """Return the same model with the ids of the earlier fit for the classes that answer most alike.

        Hungarian assignment over the distance of the profiles on the items both have; a class without a
        counterpart gets the next free number. Classes come in the order of their ids.

        Raises
        ------
        WaageError
            If the two models have no item in common.
        """
        common = [
            name for name, answer in self.items.items() if earlier.items.get(name, {}).get("kind") == answer["kind"]
        ]
        if not common:
            raise WaageError(
                f"Classes.matched: the models share no item: {', '.join(self.items)} against {', '.join(earlier.items)}"
            )
        cost = sum(_distance(self.items[name], earlier.items[name]) for name in common)
        mine, theirs = linear_sum_assignment(cost)
        ids = dict(zip(mine.tolist(), (earlier.ids[j] for j in theirs), strict=True))
        free = max(earlier.ids) + 1
        for position in range(self.k):
            if position not in ids:
                ids[position], free = free, free + 1
        order = sorted(range(self.k), key=ids.__getitem__)
        return replace(self.in_order(order), ids=tuple(ids[position] for position in order))

    def refitted(
        self,
        answers: pd.DataFrame,
        weights: Sequence[float] | None = None,
        *,
        rounds: int = 100,
        tolerance: float = 1e-6,
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function from row numbers to posteriors of these classes fitted anew to the rows.

        EM goes on from this solution, without new starts: what a bootstrap of estimates needs, in which the types
        are the same ones and only their answers vary. It is no test of whether the types come back; see
        `waage.typology.stability` for that.

        Parameters
        ----------
        answers : DataFrame, shape (n, items)
        weights : sequence of float, shape (n,), optional
        rounds : int
        tolerance : float
            Gain in log-likelihood a respondent at which EM ends.

        Returns
        -------
        callable
            From row numbers, shape (m,), to posteriors, shape (m, k).
        """
        hits, groups, numbers, seen = [], [], [], []
        for item, answer in self.items.items():
            values = coded(answers, item, answer)
            if answer["kind"] == "gaussian":
                numbers.append(np.nan_to_num(values))
                seen.append(~np.isnan(values))
            else:
                levels = _probabilities(answer).shape[1]
                hits.append(values[:, None] == np.arange(levels))
                groups += [len(hits) - 1] * levels
        n = len(answers)
        hit = np.hstack(hits).astype(float) if hits else np.empty((n, 0))
        number = np.column_stack(numbers) if numbers else np.empty((n, 0))
        known = np.column_stack(seen).astype(float) if seen else np.empty((n, 0))
        same = (np.array(groups)[:, None] == np.array(groups)).astype(float) if hits else np.empty((0, 0))
        kinds = [answer for answer in self.items.values() if answer["kind"] != "gaussian"]
        start_p = np.hstack([_probabilities(answer) for answer in kinds]) if kinds else np.empty((self.k, 0))
        metric = [answer for answer in self.items.values() if answer["kind"] == "gaussian"]
        start_m = np.array([answer["mean"] for answer in metric]).reshape(-1, self.k).T
        start_v = np.array([answer["variance"] for answer in metric]).reshape(-1, self.k).T
        mass = scaled(weights, n)

        def again(rows: np.ndarray) -> np.ndarray:
            h, x, o, w = hit[rows], number[rows], known[rows], mass[rows]
            share, p, mean, variance = self.shares, start_p, start_m, start_v
            total = (w @ o).clip(min=TINY)
            spread = w @ (o * (x - (w @ x) / total) ** 2) / total
            before = -np.inf
            for _ in range(rounds):
                joint = h @ np.log(np.maximum(p, TINY)).T + np.log(np.maximum(share, TINY))
                joint -= 0.5 * (o @ (np.log(2 * np.pi * variance) + mean**2 / variance).T)
                joint += x @ (mean / variance).T - 0.5 * (x**2) @ (1 / variance).T
                size = logsumexp(joint, axis=1, keepdims=True)
                posterior = np.exp(joint - size)
                loglik = float(w @ size[:, 0]) / w.sum()
                if loglik - before < tolerance:
                    break
                before, r = loglik, w[:, None] * posterior
                share = r.sum(axis=0) / w.sum()
                p = r.T @ h
                p = p / np.maximum(p @ same, TINY)
                weight = np.maximum(r.T @ o, TINY)
                mean = r.T @ x / weight
                variance = np.maximum(r.T @ x**2 / weight - mean**2, 1e-3 * spread)
            return posterior

        return again

    def to_dict(self) -> dict:
        """Return the model as what JSON can hold; no respondent is in it."""
        names = ("items", "n", "loglik", "n_parameters", "entropy", "log_modal", "replicated", "finished", "seed")
        plain = {name: getattr(self, name) for name in names}
        return {"model": "latent_classes", "version": 1, "shares": self.shares.tolist(), "ids": list(self.ids), **plain}

    @classmethod
    def from_dict(cls, model: Mapping) -> "Classes":
        """Return the model that `to_dict` wrote; WaageError if it is something else."""
        if model.get("model") != "latent_classes" or model.get("version") != 1:
            raise WaageError(
                f"Classes.from_dict: model {model.get('model')!r}, version {model.get('version')!r} is not "
                "'latent_classes', version 1; fit the types anew"
            )
        plain = {name: value for name, value in model.items() if name not in ("model", "version")}
        return cls(**plain | {"shares": np.asarray(model["shares"], dtype=float), "ids": tuple(model["ids"])})

    def joint_log_density(self, answers: pd.DataFrame) -> np.ndarray:
        """Return the log of share times likelihood, shape (n, k)."""
        missing = [item for item in self.items if item not in answers]
        if missing:
            hint = did_you_mean(missing[0], answers.columns)
            raise WaageError(f"The answers lack the items {', '.join(missing)} of the model{hint}")
        joint = np.tile(np.log(self.shares), (len(answers), 1))
        for item, answer in self.items.items():
            values = coded(answers, item, answer)
            if answer["kind"] == "gaussian":
                mean, variance = np.asarray(answer["mean"]), np.asarray(answer["variance"])
                density = -0.5 * (np.log(2 * np.pi * variance) + (values[:, None] - mean) ** 2 / variance)
                joint += np.where(np.isnan(values)[:, None], 0.0, density)
            else:
                log_p = np.log(_probabilities(answer).T)
                joint[values >= 0] += log_p[values[values >= 0]]
        return joint

    def in_order(self, order: Sequence[int]) -> "Classes":
        """Return the same model with its classes, and their ids with them, in another order of positions."""
        order = np.asarray(order)
        items = {
            item: {
                name: [value[i] for i in order] if name in ("p", "mean", "variance") else value
                for name, value in answer.items()
            }
            for item, answer in self.items.items()
        }
        posterior = None if self.posterior is None else self.posterior[:, order]
        ids = tuple(self.ids[i] for i in order)
        return replace(self, items=items, shares=self.shares[order], ids=ids, posterior=posterior)


def coded(answers: pd.DataFrame, item: str, code: Mapping) -> np.ndarray:
    """Return gaussian answers as floats (NaN missing), others as positions of their levels (-1 missing)."""
    column = answers[item]
    if code["kind"] == "categorical":
        return pd.Index(code["levels"]).get_indexer(column)
    values = column.to_numpy(dtype=float, na_value=np.nan)
    if code["kind"] == "gaussian":
        return values
    wrong = values[~(np.isnan(values) | np.isin(values, (0, 1)))]
    if len(wrong):
        raise WaageError(f"Item {item} is binary, but {len(wrong)} answers are neither 0 nor 1, such as {wrong[0]:g}")
    return np.nan_to_num(values, nan=-1).astype(int)


def scaled(weights: Sequence[float] | None, n: int) -> np.ndarray:
    """Return the weights scaled to add up to n, ones for None; WaageError unless they are n positive numbers."""
    weights = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    if weights.shape != (n,) or not (np.isfinite(weights) & (weights > 0)).all():
        raise WaageError(f"Weights must be {n} positive numbers, one a respondent; got {weights.shape}, {weights[:3]}")
    return weights * (n / weights.sum())


def profile_hash(items: Mapping[str, dict], position: int) -> str:
    """Return a digest of what one class answers, to order classes of equal size the same way everywhere."""
    profile = [np.round(answer.get("p", answer.get("mean"))[position], 6).tolist() for answer in items.values()]
    return hashlib.sha256(json.dumps(profile).encode()).hexdigest()


def _probabilities(answer: Mapping) -> np.ndarray:
    """Return the probabilities of the levels, shape (k, levels); a binary item has the levels 0 and 1."""
    p = np.asarray(answer["p"], dtype=float)
    return np.column_stack([1 - p, p]) if answer["kind"] == "binary" else p


def _distance(mine: Mapping, theirs: Mapping) -> np.ndarray:
    """Return the distance of every class to every other on one item, shape (k, k of the other), 0 to 1."""
    if mine["kind"] == "gaussian":
        m, v, other, w = (np.asarray(side[name], float) for side in (mine, theirs) for name in ("mean", "variance"))
        overlap = np.exp(-((m[:, None] - other) ** 2) / (4 * (v[:, None] + w)))
        scale = np.sqrt(2 * np.sqrt(v[:, None] * w) / (v[:, None] + w))
        return np.sqrt(np.maximum(1 - scale * overlap, 0))  # Hellinger
    levels = sorted({*mine.get("levels", (0, 1)), *theirs.get("levels", (0, 1))}, key=str)
    a, b = (
        pd.DataFrame(_probabilities(side), columns=side.get("levels", [0, 1])).reindex(columns=levels, fill_value=0.0)
        for side in (mine, theirs)
    )
    overlap = np.sqrt(a.to_numpy()) @ np.sqrt(b.to_numpy()).T
    return np.sqrt(np.maximum(1 - overlap, 0))
