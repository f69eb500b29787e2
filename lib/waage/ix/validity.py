"""Whether the items measure what they say: alpha, omega, and one factor against two."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize


def validity(people: pd.DataFrame, items: pd.DataFrame, *, year: pd.Series | None = None) -> pd.DataFrame:
    """Return reliability and factor structure of the score, by year.

    Parameters
    ----------
    people : DataFrame
        As `respondents` returns it.
    items : DataFrame
        The checked codebook: item, construct.
    year : Series, optional
        Year of each respondent; of the week without it.

    Returns
    -------
    DataFrame
        year, n; alpha and omega of each construct; cfi and rmsea of one factor and of two (by construct, correlated);
        factor_correlation; better ("two" where two fit significantly better, chi2 with 1 df). Factors are compared
        only where there are two constructs and at least four items; a single item has no row.

    References
    ----------
    Cronbach (1951); McDonald (1999); Joreskog (1969), A general approach to confirmatory maximum likelihood factor
    analysis, Psychometrika 34.
    """
    year = pd.to_datetime(people["week"]).dt.year if year is None else year
    names, construct = list(items["item"]), items["construct"].to_numpy()
    rows = []
    for of, part in people[names].groupby(year.to_numpy()) if len(names) > 1 else ():
        data = part.dropna().to_numpy(dtype=float)
        if len(data) < 100:
            continue
        correlation = np.corrcoef(data, rowvar=False)
        row = {"year": of, "n": len(data)}
        for c in dict.fromkeys(construct):
            own = np.flatnonzero(construct == c)
            cover = np.cov(data[:, own], rowvar=False)
            k = len(own)
            row[f"alpha_{c}"] = k / (k - 1) * (1 - np.trace(cover) / cover.sum()) if k > 1 else np.nan
            if k > 2:
                loading, _, _ = _factors(correlation[np.ix_(own, own)], np.zeros(k, dtype=int))
                row[f"omega_{c}"] = loading.sum() ** 2 / (loading.sum() ** 2 + (1 - loading**2).sum())
        rows.append(row)
        codes = pd.factorize(construct)[0]
        if len(names) < 4 or codes.max() == 0:
            continue
        chi2 = {}
        p = len(names)
        baseline = -np.linalg.slogdet(correlation)[1] * (len(data) - 1)
        null_df = p * (p - 1) / 2
        for label, member in (("one", np.zeros(p, dtype=int)), ("two", codes)):
            _, phi, fit = _factors(correlation, member)
            free = 2 * p + (member.max() > 0)
            df = p * (p + 1) / 2 - free
            chi2[label] = fit * (len(data) - 1)
            row[f"rmsea_{label}"] = np.sqrt(max(chi2[label] - df, 0) / (df * (len(data) - 1)))
            row[f"cfi_{label}"] = 1 - max(chi2[label] - df, 0) / max(baseline - null_df, chi2[label] - df, 1e-12)
            row["factor_correlation"] = phi
        row["better"] = "two" if chi2["one"] - chi2["two"] > 3.84 else "one"
    return pd.DataFrame(rows)


def _factors(correlation: np.ndarray, member: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Fit one factor, or two correlated ones, to correlations by maximum likelihood: loadings, phi, discrepancy."""
    p, two = len(correlation), member.max() > 0
    same = member[:, None] == member
    log_det = np.linalg.slogdet(correlation)[1]

    def parts(theta: np.ndarray):
        loading, unique = theta[:p], np.exp(theta[p : 2 * p])
        phi = np.tanh(theta[-1]) if two else 1.0
        sigma = np.outer(loading, loading) * np.where(same, 1.0, phi) + np.diag(unique)
        return loading, unique, phi, sigma

    def discrepancy(theta: np.ndarray):
        loading, unique, phi, sigma = parts(theta)
        inverse = np.linalg.inv(sigma)
        value = np.linalg.slogdet(sigma)[1] + np.trace(correlation @ inverse) - log_det - p
        slope = inverse @ (sigma - correlation) @ inverse
        gradient = [2 * (slope * np.where(same, 1.0, phi)) @ loading, np.diag(slope) * unique]
        if two:
            gradient.append([np.sum(slope * np.outer(loading, loading) * ~same) * (1 - phi**2)])
        return value, np.concatenate(gradient)

    start = np.concatenate([np.full(p, 0.7), np.full(p, np.log(0.5)), [0.7] if two else []])
    found = minimize(discrepancy, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    loading, _, phi, _ = parts(found.x)
    return loading * np.sign(loading.sum()), float(phi), max(float(found.fun), 0.0)
