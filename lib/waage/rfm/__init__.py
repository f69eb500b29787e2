"""Recency, frequency, monetary: customers on a day, scores that depend on the value alone, segments, migration."""

from waage.rfm.chapters import (
    bounds_table,
    chapter,
    definition_table,
    migration_table,
    orders_ahead,
    segment_numbers,
)
from waage.rfm.customers import LIFECYCLE, Customers, lifecycle
from waage.rfm.cut_points import cut_points
from waage.rfm.documents import definitions, population, to_yaml
from waage.rfm.findings import (
    drift_finding,
    first_finding,
    limits_finding,
    migration_finding,
    orders_finding,
    prediction_finding,
    top_segment,
)
from waage.rfm.grids import RF10, RFM11, Grid, pick_grid, read_grids
from waage.rfm.groups import grid_counts, lifecycle_table, mask_grid, segment_table, with_change
from waage.rfm.migration import Migration, migration
from waage.rfm.plots import plot_grid, plot_map, plot_stages
from waage.rfm.prediction import Prediction, predict_next
from waage.rfm.return_curve import ReturnCurve, return_curve
from waage.rfm.scores import FREQUENCY_BREAKS, Bins, Scores, fit_scores, frozen_scores, kept_settings, remember
from waage.rfm.segments import Overview, Segmentation, backtest_segments

__all__ = [
    "FREQUENCY_BREAKS",
    "LIFECYCLE",
    "RF10",
    "RFM11",
    "Bins",
    "Customers",
    "Grid",
    "Migration",
    "Overview",
    "Prediction",
    "ReturnCurve",
    "Scores",
    "Segmentation",
    "backtest_segments",
    "bounds_table",
    "chapter",
    "cut_points",
    "definition_table",
    "definitions",
    "drift_finding",
    "first_finding",
    "fit_scores",
    "frozen_scores",
    "grid_counts",
    "kept_settings",
    "lifecycle",
    "lifecycle_table",
    "limits_finding",
    "mask_grid",
    "migration",
    "migration_finding",
    "migration_table",
    "orders_ahead",
    "orders_finding",
    "pick_grid",
    "plot_grid",
    "plot_map",
    "plot_stages",
    "population",
    "predict_next",
    "prediction_finding",
    "read_grids",
    "remember",
    "return_curve",
    "segment_numbers",
    "segment_table",
    "to_yaml",
    "top_segment",
    "with_change",
]
