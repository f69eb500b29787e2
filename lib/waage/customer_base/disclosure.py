"""Which sums over time may be shown together, so that no small group follows as a difference."""

from collections.abc import Iterable
from datetime import date

import numpy as np

from waage.customer_base.periods import Span


def told(
    cuts: list[date],
    sizes: np.ndarray,
    spans: Iterable[Span],
    min_cell: int,
    *,
    whole: dict[Span, np.ndarray] | None = None,
    apart: Iterable[Span] = (),
) -> dict[date, int]:
    """Choose which sums over spans are shown and return which days they join.

    A sum over a span is the running total at its end minus that at its start, so shown spans are the edges of a
    graph of days, and a sum follows from shown ones exactly if its two ends are connected. Spans are shown one after
    the other unless that would tell a group of 1 to min_cell - 1 persons: of a span, or of all that stays hidden
    between two connected days.

    Parameters
    ----------
    cuts : list of date
        The starts of all spans and the days after their ends, ascending.
    sizes : array
        Persons between one cut and the next, a column for each count that must not be small.
    spans : iterable of Span
        The most wanted first.
    min_cell : int
    whole : mapping of Span to array, optional
        Persons of whole spans, where they are more than between any two cuts.
    apart : iterable of Span
        Spans whose sum must not follow.

    Returns
    -------
    dict
        For each cut a number; equal where sums between the two follow from what is shown.
    """
    at = {cut: place for place, cut in enumerate(cuts)}
    nothing = np.zeros((1, sizes.shape[1]), dtype=sizes.dtype)
    total = np.vstack([nothing, sizes.cumsum(axis=0)])
    known = {tuple(at[cut] for cut in span.cuts): row for span, row in (whole or {}).items()}
    secret = np.array([[at[cut] for cut in span.cuts] for span in apart], dtype=int).reshape(-1, 2)

    def safe(group: np.ndarray) -> bool:
        blank = group[1:] != group[:-1]
        hidden = np.vstack([nothing, (sizes * blank[:, None]).cumsum(axis=0)])
        order = np.argsort(group, kind="stable")
        pairs = [(p, q) for p, q in zip(order[:-1].tolist(), order[1:].tolist(), strict=True) if group[p] == group[q]]
        first, last = np.array(pairs).T
        rest = np.where((last == first + 1)[:, None], total[last] - total[first], hidden[last] - hidden[first])
        for place, (p, q) in enumerate(pairs):
            if (p, q) in known and blank[p:q].all():
                rest[place] = known[p, q]
        small = (rest > 0) & (rest < min_cell)
        return not small.any() and not (group[secret[:, 0]] == group[secret[:, 1]]).any()

    group = np.arange(len(cuts))
    for span in spans:
        start, end = (group[at[cut]] for cut in span.cuts)
        joined = np.where(group == start, end, group)
        if start != end and safe(joined):
            group = joined
    return dict(zip(cuts, group.tolist(), strict=True))
