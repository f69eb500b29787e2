"""What is shown of the score and never modelled: smoothed lines, boxes, NPS; and who did not answer."""

from statistics import NormalDist

import numpy as np
import pandas as pd

from waage.errors import WaageError, did_you_mean
from waage.ix.score import codebook
from waage.stats import wilson


def audit(people: pd.DataFrame, known: pd.DataFrame, w: np.ndarray | None = None) -> pd.DataFrame:
    """Compare respondents with what the logs know of all visitors: who does not answer shows in behaviour.

    Parameters
    ----------
    people : DataFrame
        With a column trait_<trait> for every trait of `known`, such as one that says whether the session ended in an
        order.
    known : DataFrame
        trait, level, share: among all sessions.
    w : array, optional
        Weights of the respondents.

    Returns
    -------
    DataFrame
        trait, level, known, respondents (share), gap (in points of share), gap_se (in standard errors), n.
    """
    w = np.ones(len(people)) if w is None else w
    rows = []
    for row in known.itertuples():
        column = f"trait_{row.trait}"
        if column not in people:
            have = [name.removeprefix("trait_") for name in people.columns if name.startswith("trait_")]
            raise WaageError(f"audit: respondents have no trait {row.trait!r}{did_you_mean(row.trait, have)}")
        asked = people[column].notna().to_numpy()
        mine = (people[column] == row.level).to_numpy(dtype=bool)[asked]
        own = w[asked]
        share = float(own @ mine / own.sum())
        error = np.sqrt((own**2 * (mine - share) ** 2).sum()) / own.sum()
        rows.append(
            (
                row.trait,
                row.level,
                row.share,
                share,
                share - row.share,
                (share - row.share) / max(error, 1e-12),
                asked.sum(),
            )
        )
    return pd.DataFrame(rows, columns=["trait", "level", "known", "respondents", "gap", "gap_se", "n"])


def r_indicator(rates: pd.Series | np.ndarray) -> float:
    """Return 1 - 2 SD of the response rates of groups: 1 when all answer alike (Schouten et al. 2009)."""
    return float(1 - 2 * np.std(np.asarray(rates, dtype=float)))


def smooth(table: pd.DataFrame, *, min_n: int = 100, confidence: float = 0.95) -> pd.DataFrame:
    """Return a smoothed line of each unit: a local level with the survey's own, known measurement variance.

    For display only: it looks into the future of every week, and would tie the errors of weeks in a model.

    Parameters
    ----------
    table : DataFrame
        unit, week, ix, variance, n. Weeks with fewer than `min_n` answers count with their larger variance and are
        shown without a point of their own (NaN in `ix`).
    min_n : int
    confidence : float

    Returns
    -------
    DataFrame
        unit, week, ix, smooth, low, high.

    References
    ----------
    Durbin and Koopman (2012), Time Series Analysis by State Space Methods, chapter 2.
    """
    weeks = pd.date_range(table["week"].min(), table["week"].max(), freq="7D")
    wide = table.pivot(index="unit", columns="week", values="ix").reindex(columns=weeks)
    y = wide.to_numpy(dtype=float)
    v = table.pivot(index="unit", columns="week", values="variance").reindex(columns=weeks).to_numpy(dtype=float)
    n = table.pivot(index="unit", columns="week", values="n").reindex(columns=weeks).to_numpy(dtype=float)
    # The variance of a week's step, by likelihood over a grid, each unit its own.
    grid = np.geomspace(0.001, 10.0, 25)
    fits = [_kalman(y, v, q)[0] for q in grid]
    q = grid[np.argmax(np.stack(fits), axis=0)]
    _, level, spread = _kalman(y, v, q)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    seen = np.isfinite(y)
    inside = (np.cumsum(seen, axis=1) > 0) & (np.cumsum(seen[:, ::-1], axis=1)[:, ::-1] > 0)
    g, t = np.nonzero(inside)
    return pd.DataFrame(
        {
            "unit": wide.index.to_numpy()[g],
            "week": weeks[t],
            "ix": np.where(n >= min_n, y, np.nan)[g, t],
            "smooth": level[g, t],
            "low": (level - z * np.sqrt(spread))[g, t],
            "high": (level + z * np.sqrt(spread))[g, t],
        }
    )


def boxes(people: pd.DataFrame, items: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return top-2-box shares of every item, and NPS of items from 0 to 10, for display only.

    Returns
    -------
    DataFrame
        measure (top_2_box, nps), item, value (share; nps: -1 to 1), low, high, n. Unweighted; Wilson's
        interval, for NPS the normal one. The model takes means: for the same precision a box needs three to five
        times the sample.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rows = []
    for row in codebook(items).itertuples():
        values = people[row.item].to_numpy(dtype=float, na_value=np.nan)
        values = values[np.isfinite(values)]
        steps = row.scale_max - row.scale_min
        top = int((values >= 100 * (steps - 1) / steps - 1e-9).sum())
        low, high = wilson(top, len(values), confidence) if len(values) else (np.nan, np.nan)
        if steps >= 4:
            rows.append(("top_2_box", row.item, top / max(len(values), 1), low, high, len(values)))
        if steps == 10:
            sign = np.where(values >= 90 - 1e-9, 1.0, np.where(values <= 60 + 1e-9, -1.0, 0.0))
            half = z * sign.std() / np.sqrt(max(len(sign), 1))
            rows.append(("nps", row.item, sign.mean(), sign.mean() - half, sign.mean() + half, len(sign)))
    return pd.DataFrame(rows, columns=["measure", "item", "value", "low", "high", "n"])


def _kalman(y: np.ndarray, v: np.ndarray, q) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log-likelihood, smoothed level and its variance of local levels, all units at once."""
    G, T = y.shape
    seen = np.isfinite(y) & np.isfinite(v)
    y, v = np.where(seen, y, 0.0), np.where(seen, v, 1.0)
    q = np.broadcast_to(np.asarray(q, dtype=float), G)
    level, spread, like = np.zeros(G), np.full(G, 1e6), np.zeros(G)
    ahead, ahead_var, kept, kept_var = (np.empty((T, G)) for _ in range(4))
    for t in range(T):
        ahead[t], ahead_var[t] = level, spread
        error, total = y[:, t] - level, spread + v[:, t]
        gain = np.where(seen[:, t], spread / total, 0.0)
        started = seen[:, t] & (spread < 1e5)
        like -= np.where(started, 0.5 * (np.log(total) + error**2 / total), 0.0)
        level, spread = level + gain * error, spread * (1 - gain)
        kept[t], kept_var[t] = level, spread
        spread = spread + q
    out, out_var = np.empty((T, G)), np.empty((T, G))
    out[-1], out_var[-1] = kept[-1], kept_var[-1]
    for t in range(T - 2, -1, -1):
        back = kept_var[t] / ahead_var[t + 1]
        out[t] = kept[t] + back * (out[t + 1] - ahead[t + 1])
        out_var[t] = kept_var[t] + back**2 * (out_var[t + 1] - ahead_var[t + 1])
    return like, out.T, out_var.T
