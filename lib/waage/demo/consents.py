"""Acts of consent, each at one source: sources contradict one another, as they do in reality."""

import numpy as np
import pandas as pd

from waage.demo.files import Files
from waage.demo.world import Settings, stream

# source, purpose, channel, share that ever acts, share of first acts that grant, legal basis
_FORMS = (
    ("web", "advertising", "email", 0.62, 0.86, "consent"),
    ("web", "advertising", "post", 0.12, 0.30, "legitimate_interest"),
    ("web", "profiling", "", 0.40, 0.88, "consent"),
    ("web", "survey", "email", 0.30, 0.90, "consent"),
    ("web", "ads", "", 0.45, 0.70, "consent"),
    ("card", "advertising", "post", 0.55, 0.85, "consent"),
    ("card", "advertising", "phone", 0.20, 0.40, "consent"),
    ("card", "advertising", "email", 0.30, 0.80, "consent"),
    ("card", "profiling", "", 0.35, 0.82, "consent"),
    ("news", "advertising", "email", 1.00, 1.00, "double_opt_in"),
    ("app", "advertising", "push", 0.75, 0.62, "consent"),
    ("app", "advertising", "sms", 0.15, 0.60, "consent"),
    ("app", "ads", "", 0.80, 0.45, "consent"),
)
WITHDRAWN, OBJECTED, AGAIN = 0.16, 0.03, 0.22  # later acts; the last is the share of withdrawals taken back


def write_consents(settings: Settings, chunk: int, known: pd.DataFrame, out: Files) -> None:
    """Append one chunk's acts to consents.csv.

    Parameters
    ----------
    settings : Settings
    chunk : int
    known : DataFrame
        source, source_id, created_at, email, phone, street of every identity record; the first of each id counts.
    out : Files
    """
    rng = stream(settings.seed, "consents", chunk)
    known = known.drop_duplicates(["source", "source_id"])
    parts = []
    for source, purpose, channel, share, grants, basis in _FORMS:
        mine = known[(known["source"] == source).to_numpy()]
        mine = mine[rng.random(len(mine)) < share]
        n = len(mine)
        point = {"email": "email", "phone": "phone", "sms": "phone", "post": "street"}.get(channel)
        form = pd.DataFrame({"source": source, "source_id": mine["source_id"], "purpose": purpose, "channel": channel})
        form["contact_point"] = mine[point].to_numpy(dtype=object) if point else None
        form["legal_basis"] = basis
        at = mine["created_at"].to_numpy("M8[s]") + rng.integers(0, 600, n).astype("m8[s]")
        granted, draw = rng.random(n) < grants, rng.random(n)
        no = np.where(rng.random(n) < 0.2, "objected", "withdrawn")
        parts.append(form.assign(changed_at=at, status=np.where(granted, "granted", no)))
        second = granted & (draw < WITHDRAWN + OBJECTED)
        at = at + _days(rng, n, 250)
        status = np.where(draw < WITHDRAWN, "withdrawn", "objected")
        parts.append(form.assign(changed_at=at, status=status)[second])
        third = second & (draw < WITHDRAWN * AGAIN)
        parts.append(form.assign(changed_at=at + _days(rng, n, 180), status="granted")[third])
    acts = pd.concat(parts, ignore_index=True)
    # An act after the extract's end has not happened yet.
    acts = acts[acts["changed_at"] < np.datetime64(settings.last_day, "s") + 86_400]
    acts["changed_at"] = acts["changed_at"].dt.strftime("%Y-%m-%d %H:%M:%S")
    columns = ["source", "source_id", "purpose", "channel", "changed_at", "status", "contact_point", "legal_basis"]
    out.csv("consents", acts.sort_values(["source", "source_id", "purpose", "channel", "changed_at"])[columns])


def _days(rng: np.random.Generator, n: int, mean: float) -> np.ndarray:
    return (1 + rng.exponential(mean, n)).astype(int) * np.timedelta64(86_400, "s")
