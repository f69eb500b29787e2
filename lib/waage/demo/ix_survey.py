"""The anonymous in-shop survey behind the IX score: visitors, their answers, invitations.

Answers are categories of a latent judgement, so that the expected score has a closed form: the judgement is placed
where visitors of the reference mix give exactly the true experience on average. Whoever weights respondents to another
mix, or not at all, measures something else.
"""

from io import StringIO

import numpy as np
import pandas as pd
from scipy.special import ndtr

from waage.demo.performance import BURN_IN, Market, ar
from waage.demo.world import Settings, stream

RESPONDENTS = 120  # on average in a unit's week
ITEMS = pd.read_csv(
    StringIO("""item|kind|construct|label|label_de|scale_min|scale_max|best|missing_codes
find|scale|perception|I found what I was looking for|Ich habe gefunden, was ich gesucht habe|1|7|max|9
ease|scale|perception|The shop was easy to use|Der Shop war einfach zu bedienen|1|7|max|9
information|scale|perception|Products were well described|Die Produkte waren gut beschrieben|1|7|max|9
trust|scale|perception|I felt I could trust the shop|Ich konnte dem Shop vertrauen|1|7|max|9
inspiration|scale|perception|The shop gave me new ideas|Der Shop hat mich auf neue Ideen gebracht|1|7|max|9
attained|scale|goal|Did you reach your goal? 1 yes, 2 partly, 3 no|Ziel erreicht? 1 ja, 2 teils, 3 nein|1|3|min|
effort|scale|goal|How much effort was it? 1 little|Wie groß war der Aufwand? 1 gering|1|7|min|9
progress|scale|goal|The visit got me further|Der Besuch hat mich weitergebracht|1|7|max|9
visitor|trait||Known or new visitor|Bekannter oder neuer Besucher||||
intent|trait||Reason for the visit|Anlass des Besuchs||||
channel|trait||Came through|Gekommen über||||
"""),
    sep="|",
    dtype=str,
)
"""Codebook of the IX survey; `missing_codes` 9 is "don't know"."""

_SCALES = ITEMS[ITEMS["kind"] == "scale"]
_IS_GOAL = (_SCALES["construct"] == "goal").to_numpy()
_TOP = _SCALES["scale_max"].astype(int).to_numpy()  # categories 1.._TOP
_REVERSED = (_SCALES["best"] == "min").to_numpy()
_LOADING = np.array([0.78, 0.76, 0.72, 0.72, 0.64, 0.86, 0.84, 0.84])
_EASE = np.array([0.0, 0.1, -0.05, 0.2, -0.45, 0.25, 0.0, 0.0])  # how readily an item is agreed to
_BETWEEN = 0.65  # correlation of the two factors
_DONT_KNOW = np.array([0.01, 0.01, 0.04, 0.03, 0.03, 0.0, 0.01, 0.02])
_MISSING = 0.015

# Levels, share in the reference mix, and what a visitor of that kind thinks of the same shop (latent SDs).
_TRAITS: dict[str, dict[str, tuple[float, float]]] = {
    "visitor": {"known": (0.55, 0.12), "new": (0.45, -0.14)},
    "intent": {"browse": (0.45, 0.06), "buy": (0.40, 0.05), "service": (0.15, -0.38)},
    "channel": {"direct": (0.40, 0.06), "search": (0.35, 0.0), "ads": (0.25, -0.12)},
}
_KNOWN_INTENT = np.array([0.0, 0.1, 0.8])  # log odds of a known visitor's intents against a new one's


def reference_mix() -> pd.DataFrame:
    """Return the shares of the shop's sessions that respondents are weighted to: trait, level, share."""
    joint = _joint(np.zeros(1), np.zeros((1, 3)), np.zeros((1, 3)))[0]
    rows = []
    for axis, (trait, levels) in enumerate(_TRAITS.items()):
        shares = joint.sum(axis=tuple(other for other in range(3) if other != axis))
        rows += [(trait, level, share) for level, share in zip(levels, shares.round(6), strict=True)]
    return pd.DataFrame(rows, columns=["trait", "level", "share"])


def answers(settings: Settings, market: Market, ix: np.ndarray, number: int) -> pd.DataFrame:
    """Draw all answers to one unit, a row a respondent, in order of time.

    Columns: response_id, unit, responded_at, visitor, intent, channel, then the items as codes of the codebook
    (missing: not answered).
    """
    rng = stream(settings.seed, "ix_responses", number)
    weeks = np.arange(market.start[number], settings.weeks)
    mix = _respondent_mix(rng, market, number)[weeks]
    counts = rng.poisson(RESPONDENTS * np.exp(rng.normal(0, 0.08, len(weeks))))
    week = np.repeat(np.arange(len(weeks)), counts)

    levels = [list(of) for of in _TRAITS.values()]
    # A visitor of each week is drawn from the week's joint distribution of traits by one uniform number.
    cumulative = np.cumsum(mix.reshape(len(weeks), -1), axis=1)
    cell = (rng.random(len(week))[:, None] > cumulative[week, :-1]).sum(axis=1)
    traits = np.unravel_index(cell, mix.shape[1:])

    latent = _latent(ix[number, BURN_IN + weeks])[week] + _SHIFT[traits]
    perception = rng.standard_normal(len(week))
    goal = _BETWEEN * perception + np.sqrt(1 - _BETWEEN**2) * rng.standard_normal(len(week))
    columns = {}
    for j, item in enumerate(_SCALES["item"]):
        own = np.sqrt(1 - _LOADING[j] ** 2) * rng.standard_normal(len(week))
        judgement = latent + _LOADING[j] * (goal if _IS_GOAL[j] else perception) + own
        code = 1 + np.searchsorted(_THRESHOLDS[j], judgement)
        code = np.where(_REVERSED[j], _TOP[j] + 1 - code, code)
        missed = rng.random(len(week))
        code = np.where(missed < _DONT_KNOW[j], 9, code)
        columns[item] = pd.array(code, dtype="Int8")
        columns[item][missed > 1 - _MISSING] = pd.NA

    day = rng.choice(7, len(week), p=[0.15, 0.14, 0.13, 0.13, 0.12, 0.14, 0.19])
    second = 3600 * (7 + 16 * rng.beta(3, 2, len(week)))  # 7 to 23 h: never in the hour the clock skips or repeats
    frame = pd.DataFrame(
        {
            "unit": market.units["unit"].iloc[number],
            "responded_at": (market.weeks[weeks[week]] + pd.to_timedelta(86400 * day + second.astype(int), "s")),
            **{name: np.array(levels[k])[traits[k]] for k, name in enumerate(_TRAITS)},
            **columns,
        }
    ).sort_values("responded_at", kind="stable", ignore_index=True)
    frame.insert(0, "response_id", [f"X{number:03d}{row:07d}" for row in range(len(frame))])
    return frame


def invitations(settings: Settings, rows: pd.DataFrame, number: int) -> pd.DataFrame:
    """Draw the invitations behind the answers of one unit: day, unit, invited, started, completed.

    The response rate falls from about 11 to 7.5 in 100 over the window.
    """
    rng = stream(settings.seed, "invitations", number)
    completed = rows.groupby(rows["responded_at"].dt.normalize()).size()
    span = pd.date_range(completed.index[0], settings.last_day, freq="D")
    completed = completed.reindex(span, fill_value=0)
    started = completed + rng.binomial(completed + 1, 0.22)
    rate = np.interp((span - pd.Timestamp(settings.first_day)).days, [0, 7 * settings.weeks], [0.12, 0.08])
    invited = started + rng.poisson((completed + 1) * (1 / rate - 1) * np.exp(rng.normal(0, 0.1, len(span))))
    return pd.DataFrame(
        {
            "day": span.strftime("%Y-%m-%d"),
            "unit": rows["unit"].iloc[0],
            "invited": invited.to_numpy(),
            "started": started.to_numpy(),
            "completed": completed.to_numpy(),
        }
    )


def _respondent_mix(rng: np.random.Generator, market: Market, number: int) -> np.ndarray:
    """Return the joint shares of traits among a unit's respondents by week of the window: weeks x 2 x 3 x 3.

    Known visitors answer more, and more so over time, at a pace of each unit's own; busy weeks and marketing bring
    new visitors and advertising traffic.
    """
    window = slice(BURN_IN, None)
    count = len(market.weeks)
    time = np.linspace(0, 1, count)
    busy = market.busy[number, window]
    spend = np.log(market.marketing[number, window])
    visitor = 0.2 + rng.normal(0.6, 0.6) * time + ar(rng, (1, count), 0.9, 0.25)[0] - 1.5 * (busy - busy.mean())
    intent = np.stack([0 * time, 1.0 * market.promo[number, window], rng.normal(0, 0.4) * time])
    channel = np.stack([0 * time, rng.normal(0, 0.3) * time, 0.4 * (spend - spend.mean()) + rng.normal(0, 0.4) * time])
    intent[2] += ar(rng, (1, count), 0.8, 0.2)[0]
    return _joint(visitor, intent.T, channel.T)


def _joint(visitor: np.ndarray, intent: np.ndarray, channel: np.ndarray) -> np.ndarray:
    """Return joint shares from log-odds shifts against the reference mix; shape (n, 2, 3, 3)."""
    base = [np.log([share for share, _ in levels.values()]) for levels in _TRAITS.values()]
    shift = np.stack([visitor, np.zeros_like(visitor)], axis=1)
    logs = (base[0] + shift)[:, :, None, None] + (base[1] + intent)[:, None, :, None]
    logs = logs + (base[2] + channel)[:, None, None, :]
    logs[:, 0] += _KNOWN_INTENT[:, None]
    shares = np.exp(logs)
    return shares / shares.sum(axis=(1, 2, 3), keepdims=True)


def _thresholds() -> list[np.ndarray]:
    """Cuts of the latent judgement; a scale of seven spreads over three SDs, the goal splits 63/20/17 or so."""
    seven = np.linspace(-1.75, 0.95, 6)
    return [(np.array([-0.8, -0.15]) if top == 3 else seven) - ease for top, ease in zip(_TOP, _EASE, strict=True)]


def _expected(latent: np.ndarray) -> np.ndarray:
    """Expected score (0-100) at a latent judgement: the mean of the two sub-indices, each the mean of its items."""
    score = [100 * ndtr(latent[..., None] - cuts).mean(axis=-1) for cuts in _THRESHOLDS]
    perception, goal = (np.mean([score[j] for j in np.flatnonzero(mine)], axis=0) for mine in (~_IS_GOAL, _IS_GOAL))
    return (perception + goal) / 2


def _latent(ix: np.ndarray) -> np.ndarray:
    """Return the latent judgement at which the reference mix scores `ix` on average."""
    return np.interp(ix, _SCORES, _GRID)


_THRESHOLDS = _thresholds()
_EFFECTS = [np.array([effect for _, effect in levels.values()]) for levels in _TRAITS.values()]
_SHIFT = _EFFECTS[0][:, None, None] + _EFFECTS[1][None, :, None] + _EFFECTS[2][None, None, :]
_REFERENCE = _joint(np.zeros(1), np.zeros((1, 3)), np.zeros((1, 3)))[0]
_GRID = np.linspace(-3, 3, 601)
_SCORES = sum(share * _expected(_GRID + shift) for share, shift in zip(_REFERENCE.ravel(), _SHIFT.ravel(), strict=True))
