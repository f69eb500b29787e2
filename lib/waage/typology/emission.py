"""What StepMix' EM needs of the answers, as two matrix products a round.

StepMix goes through items and classes one by one and looks for gaps every time; with the sums below it makes the same
steps from the same starts, several times as fast.
"""

from collections.abc import Mapping

import numpy as np
from stepmix.emission.build_emission import EMISSION_DICT
from stepmix.emission.emission import Emission

from waage.typology.class_model import TINY

#: Name under which StepMix knows the model; "nan" in it lets missing answers pass.
ANSWERS = "answers_nan"
_VANISHED = 1e-10  # of an item's variance: a class that sits on one answer and will not leave it


class Answers(Emission):
    """Binary, nominal and metric items that are independent within a class, missing answers by FIML.

    Parameters
    ----------
    n_components, random_state
        As StepMix passes them.
    blocks : mapping
        Kind (binary, categorical, gaussian, in the order of the matrix) to the number of columns and the columns of
        one item: 1, or for one-hot categorical items as many as the one with the most levels has.
    """

    def __init__(self, n_components: int, random_state, blocks: Mapping[str, tuple[int, int]]):
        super().__init__(n_components=n_components, random_state=random_state)
        self.blocks = dict(blocks)
        self.model_str = ANSWERS

    def initialize(self, X: np.ndarray, resp: np.ndarray, random_state=None) -> None:
        """Lay out the answers once: what all later rounds add up."""
        parts, start = {}, 0
        for kind, (columns, _) in self.blocks.items():
            values, start = X[:, start : start + columns], start + columns
            seen = ~np.isnan(values)
            if kind == "gaussian":
                # Sums of squares keep their digits about the mean.
                self.centre, self.spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
                z = np.where(seen, (values - self.centre) / self.spread, 0.0)
                parts |= {"seen": seen.astype(float), "z": z, "z2": z**2}
            else:
                parts[kind] = np.where(seen, values, 0.0)
                if kind == "binary":
                    parts["not"] = np.where(seen, 1.0 - values, 0.0)
        self.layout = np.hstack(list(parts.values()))
        ends = np.cumsum([part.shape[1] for part in parts.values()])
        self.place = {
            name: slice(end - part.shape[1], end) for (name, part), end in zip(parts.items(), ends, strict=True)
        }
        super().initialize(X, resp, random_state)

    def m_step(self, X: np.ndarray, resp: np.ndarray) -> None:
        """Set the parameters to the best ones for these weights of the classes, shape (n, k)."""
        sums = resp.T @ self.layout
        of = {name: sums[:, place] for name, place in self.place.items()}
        for kind, (_, width) in self.blocks.items():
            if kind == "binary":
                self.parameters[kind] = {"pis": of["binary"] / (of["binary"] + of["not"])}
            elif kind == "categorical":
                each = of["categorical"].reshape(len(sums), -1, width)
                p = (each / each.sum(axis=2, keepdims=True)).reshape(len(sums), -1)
                self.parameters[kind] = {"pis": p, "max_n_outcomes": width}
            else:
                mean = of["z"] / of["seen"]
                variance = of["z2"] / of["seen"] - mean**2
                if (variance < _VANISHED).any():
                    raise FloatingPointError("a class sits on one answer")
                found = {"means": self.centre + self.spread * mean, "covariances": self.spread**2 * variance}
                self.parameters[kind] = found | {"mean": mean, "variance": variance}

    def log_likelihood(self, X: np.ndarray) -> np.ndarray:
        """Return the log density of the answers in each class, shape (n, k)."""
        weights = np.empty((self.n_components, self.layout.shape[1]))
        for kind in self.blocks:
            found = self.parameters[kind]
            if kind == "gaussian":
                mean, variance = found["mean"], found["variance"]
                scale = np.log(2 * np.pi * variance) + 2 * np.log(self.spread)
                weights[:, self.place["seen"]] = -0.5 * (scale + mean**2 / variance)
                weights[:, self.place["z"]], weights[:, self.place["z2"]] = mean / variance, -0.5 / variance
            else:
                p = np.clip(found["pis"], TINY, 1 - TINY)
                weights[:, self.place[kind]] = np.log(p)
                if kind == "binary":
                    weights[:, self.place["not"]] = np.log(1 - p)
        return self.layout @ weights.T

    # StepMix wants the names; a fit calls neither, and `fit_classes` counts the parameters itself.
    sample = n_parameters = None


EMISSION_DICT[ANSWERS] = Answers
