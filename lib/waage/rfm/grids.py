"""Segmentations as data: which cells of the R x F grid a segment owns, what it means and what to do about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType

import ibis
import ibis.expr.types as ir
import yaml

from waage import style
from waage.errors import WaageError, did_you_mean

_TEXTS = ("label", "meaning", "action")
_KEYS = ("cells", "owner", *_TEXTS)


@dataclass(frozen=True)
class Grid:
    """A segmentation in which every cell has exactly one segment.

    Attributes
    ----------
    name : str
        What messages and documents call the grid.
    cells : mapping of str to tuple of str
        Segment to its cells; a cell is written "RY", so "51" is R 5, Y 1. The order is the display order, best
        to worst.
    scores : int
        Number of scores on either axis.
    y : {"f", "fm"}
        The second axis: F, or F and M together, round-half-up((F + M) / 2).
    texts : mapping
        Segment to label, meaning, action (each a text by language, en and de) and owner.

    Raises
    ------
    WaageError
        At construction: naming every cell that no segment or more than one claims, cells outside the grid,
        and segments without a cell.
    """

    name: str
    cells: Mapping[str, Sequence[str]]
    scores: int = 5
    y: str = "f"
    texts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def __post_init__(self):
        cells = {segment: tuple(str(cell) for cell in own) for segment, own in self.cells.items()}
        object.__setattr__(self, "cells", MappingProxyType(cells))
        scale = range(1, self.scores + 1)
        expected = [f"{r}{y}" for r in scale for y in scale]
        claims = Counter(cell for own in cells.values() for cell in own)
        axis = self.y.upper()
        faults = [
            f"cell {cell} (R {cell[0]}, {axis} {cell[1]}) has no segment" for cell in expected if not claims[cell]
        ]
        for cell, times in sorted(claims.items()):
            owners = [segment for segment, own in cells.items() if cell in own]
            if cell not in expected:
                faults.append(f"cell {cell!r} of {owners[0]} lies outside 11 to {expected[-1]}")
            elif times > 1:
                faults.append(f"cell {cell} is claimed {times} times, by {' and '.join(owners)}")
        faults += [f"segment {segment} has no cell" for segment, own in cells.items() if not own]
        reserved = [segment for segment in cells if segment in ("gone", "not_yet")]
        faults += [f"segment {segment}: the migration uses that name for itself" for segment in reserved]
        if self.y not in ("f", "fm"):
            faults.append(f"y is {self.y!r}; the second axis is f or fm")
        if faults:
            raise WaageError(
                f"grid {self.name}: {'; '.join(faults)}; give each of the {len(expected)} cells one segment"
            )

    @property
    def segments(self) -> tuple[str, ...]:
        """Segment keys in display order."""
        return tuple(self.cells)

    def segment_of(self, r: int, y: int) -> str:
        """Return the segment of one cell."""
        for segment, own in self.cells.items():
            if f"{r}{y}" in own:
                return segment
        raise WaageError(f"grid {self.name}: R {r}, {self.y.upper()} {y} lies outside 1 to {self.scores}")

    def label(self, segment: str, language: str = "en") -> str:
        """Return a segment's display name: its own, or that of `waage.style`."""
        own = self.texts.get(segment, {}).get("label")
        return own[language] if own else style.label(segment, language)

    def text(self, segment: str, what: str, language: str = "en") -> str:
        """Return a segment's meaning or action; empty where the grid says nothing."""
        own = self.texts.get(segment, {}).get(what)
        return own[language] if own else ""

    def second(self, scored: ir.Table) -> ir.IntegerColumn:
        """Return the score on the second axis (1 to ``scores``) of a table with f, and m where y is fm."""
        _require(scored, ["f"] if self.y == "f" else ["f", "m"], self.name)
        return scored.f if self.y == "f" else (scored.f + scored.m + 1) // 2

    def assign(self, scored: ir.Table) -> ir.Table:
        """Add the column segment to a table with integer scores; stays lazy.

        The segment is null where a score is null or outside the grid. Raises WaageError if a score is missing.
        """
        _require(scored, ["r", "f"], self.name)
        cell = scored.r * 10 + self.second(scored)
        branches = [(cell.isin([int(own) for own in cells]), segment) for segment, cells in self.cells.items()]
        return scored.mutate(segment=ibis.cases(*branches, else_=ibis.null("string")))

    def rectangles(self, segment: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Return a segment's cells as rectangles ((R from, R to), (Y from, Y to)), few and without overlap."""
        rows: dict[int, list[tuple[int, int]]] = {}
        for r in range(1, self.scores + 1):
            rows[r] = _runs(int(cell[1]) for cell in self.cells[segment] if int(cell[0]) == r)
        spans = sorted({run for runs in rows.values() for run in runs})
        return [(r, span) for span in spans for r in _runs(r for r in rows if span in rows[r])]


def read_grids(own: Mapping[str, object] | None = None) -> dict[str, Grid]:
    """Return the grids that ship, and those of a study.

    Parameters
    ----------
    own : mapping, optional
        `grids` of study.yaml: name to {y: f or fm, scores: 5, segments: {key: {cells: [11, 12], label, meaning,
        action (each a text, or en and de), owner}}}. A name that ships is replaced.

    Returns
    -------
    dict of str to Grid

    Raises
    ------
    WaageError
        Naming the grid and every fault: unknown keys, gaps, overlaps.
    """
    return _shipped() | {name: _grid(name, content) for name, content in (own or {}).items()}


@cache
def _shipped() -> dict[str, Grid]:
    content = yaml.safe_load(resources.files("waage.rfm").joinpath("grids.yaml").read_text(encoding="utf-8"))
    return {name: _grid(name, grid) for name, grid in content.items()}


def pick_grid(name: str, own: Mapping[str, object] | None = None) -> Grid:
    """Return a grid by its name; WaageError with the names there are."""
    grids = read_grids(own)
    if name not in grids:
        raise WaageError(f"no grid is called {name!r}{did_you_mean(name, grids)}; there are {', '.join(grids)}")
    return grids[name]


def _grid(name: str, content: object) -> Grid:
    faults = []
    if not isinstance(content, Mapping) or not isinstance(content.get("segments"), Mapping):
        raise WaageError(f"grid {name}: write y: f (or fm) and segments: {{key: {{cells: [11, 12]}}}}")
    faults += [f"unknown key {key!r}{did_you_mean(key, ['y', 'scores', 'segments'])}" for key in content
               if key not in ("y", "scores", "segments")]  # fmt: skip
    scores = content.get("scores", 5)
    if isinstance(scores, bool) or not isinstance(scores, int) or not 2 <= scores <= 9:
        faults.append(f"scores is {scores!r}; a whole number from 2 to 9")
    cells, texts = {}, {}
    for segment, entry in content["segments"].items():
        if not isinstance(entry, Mapping) or not isinstance(entry.get("cells"), list):
            faults.append(f"segment {segment} has no list of cells")
            continue
        faults += [f"segment {segment}: unknown key {key!r}{did_you_mean(key, _KEYS)}" for key in entry
                   if key not in _KEYS]  # fmt: skip
        cells[str(segment)] = entry["cells"]
        texts[str(segment)] = {key: _both(entry[key]) for key in _TEXTS if entry.get(key)}
        texts[str(segment)]["owner"] = str(entry.get("owner", ""))
        wrong = [key for key, text in texts[str(segment)].items() if text is None]
        faults += [f"segment {segment}: {key} must be a text, or one for en and one for de" for key in wrong]
    if faults:
        raise WaageError(f"grid {name}: {'; '.join(faults)}")
    return Grid(name, cells, scores, str(content.get("y", "f")), texts)


def _both(text: object) -> dict[str, str] | None:
    if isinstance(text, str):
        return {"en": text, "de": text}
    if isinstance(text, Mapping) and set(text) == {"en", "de"} and all(isinstance(one, str) for one in text.values()):
        return dict(text)
    return None


def _runs(numbers) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _require(table: ir.Table, columns: Sequence[str], name: str) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        faults = [f"column {column!r} is missing{did_you_mean(column, table.columns)}" for column in missing]
        raise WaageError(f"grid {name}: {'; '.join(faults)}")


#: The ten segments in common use. Unlike most published grids it is an exact partition of the 25 cells.
RF10 = _shipped()["RF10"]
#: The same on R and F and M together, with the lost split off: eleven names, as often published, but disjoint.
RFM11 = _shipped()["RFM11"]
