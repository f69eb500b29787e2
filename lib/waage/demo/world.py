"""The simulated retailer's world: settings, calendar, types, assortments, units, and random streams.

Every table draws from a stream of its own, named after it, one for each chunk of persons. So a table is the
same whatever other tables are made, in whatever order, and on however many cores.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from zlib import crc32

import numpy as np

LAST_DAY = date(2025, 6, 29)  # a Sunday: the extract ends with a whole week
CHUNK = 20_000  # persons made at a time; memory does not grow with persons

ASSORTMENTS = ("women", "men", "kids", "home", "furniture", "electronics", "beauty", "sports")
DEVICES = ("app", "mobile", "desktop")
REGIONS = ("city", "suburb", "country")
TYPES = ("bargain_hunters", "trend_followers", "convenience_seekers", "quality_loyalists", "family_planners")
INCENTIVES = ("coupon_10", "free_shipping", "early_access")


@dataclass(frozen=True)
class Settings:
    """What `waage demo` was asked for; written to truth/settings.

    Attributes
    ----------
    persons, weeks, units : int
        Real persons; weeks of history; panel units of the experience measurement (assortment x device).
    seed : int
    junk : float
        Factor on the rate of shared junk values and test records (1: as described).
    reverse_causality : bool
        A busy week worsens the experience of the same week.
    diversion : float
        Share (0 to 1) of a unit's experience effect on demand that is taken off all units.
    ix_null : bool
        Experience has no effect at all.
    """

    persons: int = 20_000
    weeks: int = 156
    units: int = 24
    seed: int = 7
    junk: float = 1.0
    reverse_causality: bool = False
    diversion: float = 0.0
    ix_null: bool = False

    @property
    def last_day(self) -> date:
        """Last complete day of the extract."""
        return LAST_DAY

    @property
    def first_day(self) -> date:
        """Monday of the first week."""
        return LAST_DAY - timedelta(days=7 * self.weeks - 1)

    @property
    def chunks(self) -> int:
        """Number of chunks of persons."""
        return -(-self.persons // CHUNK)


def stream(seed: int, table: str, chunk: int = 0) -> np.random.Generator:
    """Return the random stream of one chunk of one table."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, crc32(table.encode()), chunk])))
