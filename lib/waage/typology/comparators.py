"""Another method on the same answers: types that only one method finds are that method's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from waage import style
from waage.typology.classes import Classes

#: Adjusted Rand index from which two methods agree, and from which they agree in part (judgements).
AGREES, IN_PART = 0.65, 0.4

_METHODS = {
    "mca": ("k-means on the axes of a correspondence analysis", "k-Means auf den Achsen einer Korrespondenzanalyse"),
    "famd": (
        "k-means on the axes of a mixed factor analysis",
        "k-Means auf den Achsen einer gemischten Faktorenanalyse",
    ),
    "pca": ("k-means on principal components", "k-Means auf Hauptkomponenten"),
}
_SENTENCES = {
    "agrees": (
        "{method} finds much the same types (ARI {ari}).",
        "{method} findet weitgehend dieselben Typen (ARI {ari}).",
    ),
    "in_part": (
        "{method} agrees in part (ARI {ari}): the cores of the types are the same, their borders depend on the method.",
        "{method} stimmt teilweise überein (ARI {ari}): Die Kerne der Typen sind gleich, ihre Grenzen hängen vom "
        "Verfahren ab.",
    ),
    "differs": (
        "{method} finds other types (ARI {ari}): they depend on the method and are constructs.",
        "{method} findet andere Typen (ARI {ari}): Sie hängen vom Verfahren ab und sind Konstrukte.",
    ),
}


@dataclass(frozen=True)
class Agreement:
    """How far k-means finds the classes, as `compare_kmeans` measures it.

    Attributes
    ----------
    table : DataFrame
        One row a type: type, respondents (modal), same (share of them in the cluster that most of them are in),
        cluster (its number, by size).
    method : str
        mca, famd or pca.
    axes : int
        Axes used.
    inertia : float
        Share of the answers' inertia on these axes.
    ari : float
        Adjusted Rand index of clusters and modal classes.
    labels : ndarray, shape (n,)
        Clusters, 1 to k by size.
    """

    table: pd.DataFrame
    method: str
    axes: int
    inertia: float
    ari: float
    labels: np.ndarray

    def sentence(self, language: str = "en") -> str:
        """Return the agreement as a sentence."""
        at = language == "de"
        key = "agrees" if self.ari >= AGREES else "in_part" if self.ari >= IN_PART else "differs"
        return _SENTENCES[key][at].format(method=_METHODS[self.method][at], ari=style.number(self.ari, language, 2))


def compare_kmeans(
    answers: pd.DataFrame,
    kinds: Mapping[str, str],
    classes: Classes,
    *,
    weights: Sequence[float] | None = None,
    n_init: int = 50,
    seed: int = 0,
) -> Agreement:
    """Cluster the answers by k-means on factor axes and compare with the latent classes.

    Axes are those of more than average inertia. A missing answer is set to the item's mean or most frequent level,
    which the classes do not need: it is a comparator, no more.

    Parameters
    ----------
    answers, kinds, weights
        As for `fit_classes`; weights enter the clusters, not the axes.
    classes : Classes
    n_init : int
        Starts; with few, k-means disagrees with itself.
    seed : int

    References
    ----------
    Pagès (2004), Analyse factorielle de données mixtes; Hubert and Arabie (1985), Journal of Classification 2.
    """
    method, scores, shares = _axes(answers, kinds, seed)
    axes = max(int((shares > 1 / len(shares)).sum()), 2)
    found = KMeans(classes.k, n_init=n_init, random_state=seed).fit_predict(scores[:, :axes], sample_weight=weights)
    order = np.argsort(-np.bincount(found, minlength=classes.k), kind="stable")
    labels = np.argsort(order)[found] + 1
    modal = np.asarray(classes.ids)[classes.predict(answers).argmax(axis=1)]
    cells = pd.crosstab(modal, labels)
    table = pd.DataFrame({"type": cells.index, "respondents": cells.sum(axis=1).to_numpy()})
    table = table.assign(
        same=(cells.max(axis=1) / cells.sum(axis=1)).to_numpy(), cluster=cells.idxmax(axis=1).to_numpy()
    )
    ari = float(adjusted_rand_score(modal, labels))
    return Agreement(table, method, axes, float(shares[:axes].sum()), ari, labels)


def _axes(answers: pd.DataFrame, kinds: Mapping[str, str], seed: int) -> tuple[str, np.ndarray, np.ndarray]:
    """Return the method, the respondents' coordinates and every axis' share of the inertia."""
    import prince

    filled = pd.DataFrame(index=range(len(answers)))
    for item, kind in kinds.items():
        values = answers[item].reset_index(drop=True)
        if kind == "gaussian":
            filled[item] = values.astype(float).fillna(values.astype(float).mean())
        else:
            filled[item] = values.fillna(values.mode()[0]).map(str).astype(object)
    numeric = sum(kind == "gaussian" for kind in kinds.values())
    levels = sum(filled[item].nunique() - 1 for item, kind in kinds.items() if kind != "gaussian")
    method, model = ("mca", prince.MCA) if not numeric else ("pca", prince.PCA) if not levels else ("famd", prince.FAMD)
    fitted = model(n_components=numeric + levels, random_state=seed, engine="scipy").fit(filled)
    scores = fitted.row_coordinates(filled).to_numpy(dtype=float)
    inertia = np.asarray(fitted.eigenvalues_, dtype=float)
    return method, scores, inertia / inertia.sum()
