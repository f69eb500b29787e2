"""Recency, frequency, monetary: scores that depend on the value alone, segments, lifecycle, charts."""

from waage.rfm.plots import plot_grid, plot_segments
from waage.rfm.scores import FREQUENCY_BREAKS, Bins, Scores, cut_points, fit_scores
from waage.rfm.segments import LIFECYCLE, RF10, Grid, grid_counts, lifecycle, lifecycle_table, mask_grid, segment_table

__all__ = [
    "FREQUENCY_BREAKS",
    "LIFECYCLE",
    "RF10",
    "Bins",
    "Grid",
    "Scores",
    "cut_points",
    "fit_scores",
    "grid_counts",
    "lifecycle",
    "lifecycle_table",
    "mask_grid",
    "plot_grid",
    "plot_segments",
    "segment_table",
]
