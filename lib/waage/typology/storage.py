"""Results as JSON can hold them, and back without losing a bit: what one run hands to the next."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def packed(frame: pd.DataFrame) -> dict[str, Any]:
    """Return a frame with a plain index as lists; missing values become null."""
    plain = frame.astype(object).where(frame.notna(), None)
    rows = [[value.item() if isinstance(value, np.generic) else value for value in row] for row in plain.to_numpy()]
    return {"columns": list(frame.columns), "dtypes": [str(kind) for kind in frame.dtypes], "rows": rows}


def unpacked(stored: Mapping[str, Any]) -> pd.DataFrame:
    """Return the frame that `packed` stored."""
    frame = pd.DataFrame(stored["rows"], columns=stored["columns"], dtype=object)
    return frame.astype(dict(zip(stored["columns"], stored["dtypes"], strict=True)))
