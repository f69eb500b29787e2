"""The pair of scales: experience by group of customers, beside what the group is worth. Descriptive, never a cause."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from waage.errors import WaageError, did_you_mean
from waage.privacy import mask_small


@dataclass(frozen=True)
class GroupScores:
    """IX by groups of customers whose answers are linked.

    Attributes
    ----------
    table : DataFrame
        split, group, ix, low, high (95 %), perception, goal, answers, persons; NaN for groups under `min_cell`.
    min_cell : int
    """

    table: pd.DataFrame
    min_cell: int

    @property
    def summary(self) -> pd.DataFrame:
        """What `ix_by_group` holds."""
        return self.table

    def beside(self, split: str, values: pd.DataFrame) -> pd.DataFrame:
        """Put a value per customer beside the experience: group, ix, low, high, value, persons (of the value).

        Parameters
        ----------
        split : str
        values : DataFrame
            group, value (mean a customer, in the study's currency), persons.
        """
        known = list(self.table["split"].unique())
        if split not in known:
            raise WaageError(f"ix_by_group: there is no split {split!r}{did_you_mean(split, known)}")
        own = self.table.loc[self.table["split"] == split, ["group", "ix", "low", "high"]]
        both = own.merge(values[["group", "value", "persons"]], on="group", how="inner")
        hidden = both["persons"] < self.min_cell
        both.loc[hidden, ["ix", "low", "high", "value", "persons"]] = np.nan
        return both

    def plot(self, split: str, values: pd.DataFrame, ax=None, currency: str = "EUR", language: str = "en"):
        """Draw experience (x) and value (y) of a split's groups, bubbles by persons."""
        from waage.ix.plots import plot_scales

        return plot_scales(self.beside(split, values), ax, currency=currency, language=language)


def ix_by_group(
    scores: pd.DataFrame, groups: pd.DataFrame, *, min_cell: int = 30, confidence: float = 0.95
) -> GroupScores:
    """Average the IX of linked respondents by group.

    Parameters
    ----------
    scores : DataFrame
        One row an answer: person_id (pseudonymous; missing: anonymous, left out), ix, perception, goal, optionally
        weight.
    groups : DataFrame
        One row a person: person_id, and one column a split (lifecycle, type, new_or_existing).
    min_cell : int
        `min_cell_survey`, in persons.
    confidence : float

    Returns
    -------
    GroupScores
        Intervals clustered by person.

    Raises
    ------
    WaageError
        When columns are missing or a person occurs twice in `groups`.
    """
    faults = [f"scores.{c} is missing{did_you_mean(c, scores.columns)}" for c in ("person_id", "ix") if c not in scores]
    if "person_id" not in groups:
        faults.append(f"groups.person_id is missing{did_you_mean('person_id', groups.columns)}")
    elif groups["person_id"].duplicated().any():
        faults.append(f"groups.person_id: {groups['person_id'].duplicated().sum()} rows repeat a person")
    if faults:
        raise WaageError(f"ix_by_group: {'; '.join(faults)}")
    linked = scores[scores["person_id"].notna() & scores["ix"].notna()]
    linked = linked.assign(weight=linked.get("weight", 1.0)).merge(groups, on="person_id")
    parts = []
    for split in groups.columns.drop("person_id"):
        rows = []
        for group, part in linked.dropna(subset=[split]).groupby(split, sort=True, observed=True):
            w, x = part["weight"].to_numpy(dtype=float), part["ix"].to_numpy(dtype=float)
            mean, persons = w @ x / w.sum(), part["person_id"].nunique()
            by_person = pd.Series(w * (x - mean)).groupby(part["person_id"].to_numpy()).sum().to_numpy()
            half = np.nan
            if persons > 1:
                error = np.sqrt((by_person**2).sum() * persons / (persons - 1)) / w.sum()
                half = student.ppf((1 + confidence) / 2, persons - 1) * error
            row = {"split": split, "group": group, "ix": mean, "low": mean - half, "high": mean + half}
            for name in ("perception", "goal"):
                row[name] = w @ part[name].to_numpy(dtype=float) / w.sum() if name in part else np.nan
            rows.append(row | {"answers": len(part), "persons": persons})
        if rows:
            table = pd.DataFrame(rows)
            hidden = ("ix", "low", "high", "perception", "goal", "answers")
            parts.append(mask_small(table, "persons", *hidden, min_cell=min_cell))
    columns = ["split", "group", "ix", "low", "high", "perception", "goal", "answers", "persons"]
    return GroupScores(
        pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns), min_cell
    )
