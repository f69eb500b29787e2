"""study.yaml: its keys, their types and defaults, and the reading of it with all faults named together."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from waage.errors import WaageError, did_you_mean
from waage.rfm.grids import read_grids


@dataclass(frozen=True)
class StudyConfig:
    """What study.yaml says; only `name` and `data_until` have no default.

    Attributes
    ----------
    name : str
        The study's folder under data/.
    language : {"en", "de"}
        Of numbers, labels, index, pages and reports 02 and 06; sentences in the others are English so far.
    currency : str
        ISO 4217 code.
    money : {"net", "gross"}
        Whether order values include VAT.
    time_zone : str
        Where days, ISO weeks and months are cut.
    fiscal_year_start : int
        Month, 1 to 12.
    raw : str
        A folder inside the study, an absolute one, or package:<module>/<folder>.
    data_until, as_of : date
        Last complete day of the extract; the day the notebooks look from (<= data_until).
    margin_rate, discount_rate : float
        Share of net revenue; per year.
    min_cell, min_cell_survey : int
        Smallest group shown; the same for anything from answers.
    max_quarantine_share : float
        Share of a table's rows (0 to 1) that may break rules before a run stops.
    seed : int
    engine : dict
        kind, memory, threads.
    unify : dict
        How ids become persons: source_order (list), survivorship (attribute to strategy), junk (list of values that
        identify nobody), most (identifier to how many a person may hold), guest_sources, store_channels (lists),
        default_country.
    rfm : dict
        Segments: owner (who answers for their definitions), owners (segment to owner), grids (own segmentations,
        see `waage.rfm.read_grids`).
    personas : dict
        labels: type to its name, a text or a mapping of en and de.
    notebooks : dict of notebook name to its parameters
        Only what differs from a notebook's own defaults.
    """

    name: str
    data_until: date
    as_of: date
    language: str = "en"
    currency: str = "EUR"
    money: str = "net"
    time_zone: str = "Europe/Berlin"
    fiscal_year_start: int = 1
    raw: str = "raw"
    margin_rate: float = 0.35
    discount_rate: float = 0.10
    min_cell: int = 10
    min_cell_survey: int = 30
    max_quarantine_share: float = 0.01
    seed: int = 7
    engine: dict = field(default_factory=lambda: {"kind": "duckdb", "memory": "auto", "threads": "auto"})
    unify: dict = field(default_factory=dict)
    rfm: dict = field(default_factory=dict)
    personas: dict = field(default_factory=dict)
    notebooks: dict = field(default_factory=dict)


def _is_zone(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(ZoneInfo(value))
    except (KeyError, ValueError, OSError):
        return False


def _names(value: object) -> bool:
    def named(name: object) -> bool:
        texts = name.values() if isinstance(name, dict) and name and set(name) <= {"en", "de"} else [name]
        return all(isinstance(text, str) and text.strip() for text in texts)

    return isinstance(value, dict) and all(isinstance(key, str) for key in value) and all(map(named, value.values()))


def _number(low: float, high: float) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _whole(low: int, high: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


_MUST: dict[str, tuple[str, Callable[[object], bool]]] = {
    "name": ("a text", lambda value: isinstance(value, str)),
    "language": ("en or de", lambda value: value in ("en", "de")),
    "currency": ("a code of three letters such as EUR", lambda v: bool(re.fullmatch("[A-Z]{3}", str(v)))),
    "money": ("net or gross", lambda value: value in ("net", "gross")),
    "time_zone": ("a zone such as Europe/Berlin", _is_zone),
    "fiscal_year_start": ("a month from 1 to 12", _whole(1, 12)),
    "raw": ("a folder or package:<module>/<folder>", lambda value: isinstance(value, str) and bool(value)),
    "data_until": ("a day such as 2025-06-30", lambda value: type(value) is date),
    "as_of": ("a day such as 2025-06-30", lambda value: type(value) is date),
    "margin_rate": ("a share from 0 to 1", _number(0, 1)),
    "discount_rate": ("a yearly rate from 0 to 1", _number(0, 1)),
    "min_cell": ("a whole number from 1", _whole(1, 10**9)),
    "min_cell_survey": ("a whole number from 1", _whole(1, 10**9)),
    "max_quarantine_share": ("a share from 0 to 1", _number(0, 1)),
    "seed": ("a whole number from 0", _whole(0, 2**32 - 1)),
    "engine": ("a mapping of kind, memory, threads", lambda value: isinstance(value, dict)),
    "unify": ("a mapping, see UNIFY in waage.config", lambda value: isinstance(value, dict)),
    "rfm": ("a mapping of owner, owners and grids", lambda value: isinstance(value, dict)),
    "personas": (
        "a mapping with labels: a mapping of types to a name, or to names in en and de",
        lambda value: isinstance(value, dict) and set(value) <= {"labels"} and _names(value.get("labels", {})),
    ),
    "notebooks": (
        "a mapping of notebooks to their parameters",
        lambda value: isinstance(value, dict) and all(isinstance(v, dict) for v in value.values()),
    ),
}


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


UNIFY: dict[str, tuple[str, Callable[[object], bool]]] = {
    "source_order": ("a list of sources", _texts),
    "survivorship": ("a mapping of attributes to strategies", lambda value: isinstance(value, dict)),
    "junk": ("a list of texts (quote numbers)", _texts),
    "most": (
        "a mapping of identifiers to whole numbers",
        lambda value: isinstance(value, dict) and all(_whole(1, 10**6)(number) for number in value.values()),
    ),
    "guest_sources": ("a list of sources", _texts),
    "store_channels": ("a list of channels", _texts),
    "default_country": ("a code of two letters such as DE", lambda v: bool(re.fullmatch("[A-Z]{2}", str(v)))),
}
"""What `unify` may hold: what a value must be, and the test of it."""


def read_config(file: Path, shown: str) -> StudyConfig:
    """Read study.yaml.

    Parameters
    ----------
    file : Path
    shown : str
        The file's name in error messages.

    Raises
    ------
    WaageError
        Naming every unknown key (with a did-you-mean), missing key and wrong value.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise WaageError(f"{shown}{where}: not YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(content, Mapping):
        raise WaageError(f"{shown}: a study is a mapping of keys to values, such as name: {file.parent.name}")
    known = [entry.name for entry in fields(StudyConfig)]
    faults = [f"unknown key {key!r}{did_you_mean(key, known)}" for key in content if key not in known]
    faults += [f"key {key!r} is missing" for key in ("name", "data_until") if key not in content]
    values = {key: value for key, value in content.items() if key in known}
    for key, value in values.items():
        wanted, holds = _MUST[key]
        if not holds(value):
            faults.append(f"{key} must be {wanted}, not {value!r}")
    engine = values.get("engine")
    if isinstance(engine, dict):
        parts = ["kind", "memory", "threads"]
        faults += [f"unknown key 'engine.{key}'{did_you_mean(key, parts)}" for key in engine if key not in parts]
    unify = values.get("unify")
    for key, value in unify.items() if isinstance(unify, dict) else ():
        if key not in UNIFY:
            faults.append(f"unknown key 'unify.{key}'{did_you_mean(key, list(UNIFY))}")
        elif not UNIFY[key][1](value):
            faults.append(f"unify.{key} must be {UNIFY[key][0]}, not {value!r}")
    faults += _faults_in_rfm(values["rfm"]) if isinstance(values.get("rfm"), dict) else []
    if isinstance(values.get("name"), str) and values["name"] != file.parent.name:
        faults.append(f"name is {values['name']!r}, but the folder is {file.parent.name!r}")
    values.setdefault("as_of", values.get("data_until"))
    if not faults and values["as_of"] > values["data_until"]:
        faults.append(f"as_of {values['as_of']} lies after data_until {values['data_until']}")
    if faults:
        raise WaageError(f"{shown}:" + "".join(f"\n  - {fault}" for fault in faults))
    return StudyConfig(**values)


def _faults_in_rfm(rfm: Mapping) -> list[str]:
    wanted = {"owner": str, "owners": dict, "grids": dict}
    faults = [f"unknown key 'rfm.{key}'{did_you_mean(key, list(wanted))}" for key in rfm if key not in wanted]
    for key, kind in wanted.items():
        if key in rfm and not isinstance(rfm[key], kind):
            faults.append(f"rfm.{key} must be a {'text' if kind is str else 'mapping'}, not {rfm[key]!r}")
    own = rfm.get("grids") if isinstance(rfm.get("grids"), dict) else {}
    known = {segment for grid in read_grids().values() for segment in grid.segments}
    for name, grid in own.items():
        try:
            known |= set(read_grids({name: grid})[name].segments)
        except WaageError as error:
            faults.append(f"rfm.grids: {error}")
    for segment, owner in rfm["owners"].items() if isinstance(rfm.get("owners"), dict) else ():
        if segment not in known and not any("rfm.grids" in fault for fault in faults):
            faults.append(f"rfm.owners: no segment {segment!r}{did_you_mean(str(segment), known)}")
        if not isinstance(owner, str):
            faults.append(f"rfm.owners.{segment} must be a text, not {owner!r}")
    return faults
