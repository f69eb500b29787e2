"""How good a clustering is against the truth, and the simulated retailer's records with the truth beside them."""

from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import ibis
import numpy as np
import pandas as pd

from waage.contract import Limits, check
from waage.demo.files import Files
from waage.demo.identities import write_people
from waage.demo.panel import write_survey
from waage.demo.people import campaign_contacts, people
from waage.demo.purchases import write_purchases
from waage.demo.world import Settings

SOURCE = Path(__file__).resolve().parents[2] / "data" / "demo" / "sources" / "identities.sql"
KEY = ["source", "source_id"]


@dataclass(frozen=True)
class Scores:
    """Pairwise precision, recall and F1; B-cubed F1 (Bagga and Baldwin 1998); the largest clusters."""

    precision: float
    recall: float
    f1: float
    bcubed: float
    largest: int
    true_largest: int


def score(label: np.ndarray, truth: np.ndarray) -> Scores:
    """Score a clustering of items.

    Of pairs of items: precision = pairs together in both / pairs together in `label`, recall = the same / pairs
    together in `truth`. B-cubed: for each item the share of its cluster that is its true cluster, and of its true
    cluster that is its cluster, averaged over items. F1 is the harmonic mean of the two. Without pairs, 1.
    """
    frame = pd.DataFrame({"label": pd.factorize(np.asarray(label))[0], "truth": pd.factorize(np.asarray(truth))[0]})
    both = frame.groupby(["label", "truth"])["label"].transform("size")
    mine, true = (frame.groupby(name)[name].transform("size") for name in frame)

    def pairs(sizes: pd.Series) -> float:
        return float((sizes - 1).sum()) / 2  # each item of a cluster of n belongs to n - 1 pairs

    def ratio(part: float, whole: float) -> float:
        return part / whole if whole else 1.0

    def harmonic(a: float, b: float) -> float:
        return ratio(2 * a * b, a + b)

    precision, recall = ratio(pairs(both), pairs(mine)), ratio(pairs(both), pairs(true))
    bcubed = harmonic((both / mine).mean(), (both / true).mean())
    return Scores(precision, recall, harmonic(precision, recall), bcubed, int(mine.max()), int(true.max()))


def connect(spill: Path, threads: int = 2) -> ibis.BaseBackend:
    """Connect to a DuckDB of one's own, as the workbench does it."""
    backend = ibis.duckdb.connect()
    spill.mkdir(parents=True, exist_ok=True)
    for setting in (f"temp_directory = '{spill}'", "memory_limit = '2GB'", f"threads = {threads}", "TimeZone = 'UTC'"):
        backend.raw_sql(f"SET {setting}")
    return backend


@dataclass(frozen=True)
class Retailer:
    """Accepted identity rows, and the true person of each id (source, source_id, person_id)."""

    identities: pd.DataFrame
    truth: pd.DataFrame


def retailer(settings: Settings, folder: Path) -> Retailer:
    """Simulate what the systems know of persons; order lines, returns, events and the year after are left out.

    Every table draws from a stream of its own, so those that are made are the same as without the omission.
    """
    left_out = dict.fromkeys(("write_lines", "write_returns", "write_events", "_write_future"), lambda *_: None)
    with (
        Files(folder) as out,
        patch.multiple("waage.demo.purchases", **left_out),
        patch("waage.demo.identities.write_consents", lambda *_: None),
    ):
        for chunk in range(settings.chunks):
            frame = people(settings, chunk)
            write_people(settings, chunk, frame, out)
            orders = write_purchases(settings, chunk, frame, campaign_contacts(settings, chunk, frame), out)
            write_survey(settings, chunk, frame, orders, out)
    backend = connect(folder / "spill")
    rows = backend.sql(SOURCE.read_text(encoding="utf-8").replace("${raw}", str(folder / "raw")))
    identities = check(rows, "identities", Limits("Europe/Berlin", settings.last_day)).accepted.execute()
    backend.disconnect()
    truth = pd.read_parquet(folder / "truth" / "identities.parquet")
    return Retailer(identities.sort_values([*KEY, "updated_at"], ignore_index=True), truth)
