"""From sources/*.sql to checked tables: the only place where a study's raw data is read."""

import re
from dataclasses import dataclass
from pathlib import Path

import ibis.expr.types as ir
import pandas as pd

from waage.contract import Checked, ContractError, Limits, check
from waage.errors import WaageError, did_you_mean
from waage.study import Study
from waage.tables import TABLES


@dataclass(frozen=True)
class Ingest:
    """All sources of a study after their check.

    Attributes
    ----------
    tables : dict of name to Checked
    notes : tuple of str
        What the analyst should know but nothing is wrong with.
    """

    tables: dict[str, Checked]
    notes: tuple[str, ...]

    @property
    def summary(self) -> pd.DataFrame:
        """One row a table: table, rows_in, accepted, quarantined, of which excluded by the source."""
        rows = [
            (name, t.rows_in, t.rows_accepted, t.rows_quarantined, t.rows_excluded) for name, t in self.tables.items()
        ]
        return pd.DataFrame(rows, columns=["table", "rows_in", "accepted", "quarantined", "excluded"])

    @property
    def report(self) -> pd.DataFrame:
        """The summary once for each reason, with reason and rows; no keys and no values, so that it may be shown.

        A table without a fault has one row with an empty reason.
        """
        parts = [t.summary[["reason", "rows"]].assign(table=name) for name, t in self.tables.items()]
        reasons = pd.concat(parts).astype({"reason": str})
        report = self.summary.merge(reasons, on="table", how="left")
        return report.fillna({"reason": "", "rows": 0}).astype({"rows": "int64"})

    @property
    def quarantine(self) -> ir.Table:
        """All quarantined rows: table, key, reason, row (JSON)."""
        first, *others = [checked.quarantined for checked in self.tables.values()]
        return first.union(*others) if others else first


def check_sources(study: Study) -> Ingest:
    """Run every source of a study and check its rows against the contract.

    Raises
    ------
    WaageError
        All faults of all tables together: SQL that fails, columns that do not fit, tables where more
        than `max_quarantine_share` of the rows break rules, an empty `orders`.
    """
    folder = study.folder / "sources"
    files = {file.stem: file for file in sorted(folder.glob("*.sql"))}
    faults = [
        f"{_shown(study, name)}: no table is called {name!r}{did_you_mean(name, TABLES)}"
        for name in files
        if name not in TABLES
    ]
    if "orders" not in files:
        faults.append(f"{_shown(study, 'orders')} is missing; orders are the one table every study has")
    if not study.raw.is_dir() and any("${raw}" in file.read_text(encoding="utf-8") for file in files.values()):
        hint = (
            "run `waage demo` to make it"
            if study.name == "demo"
            else "put the extracts there, or set raw in study.yaml"
        )
        raise WaageError(f"data/{study.name}: the raw folder {study.config.raw!r} is missing; {hint}")
    limits = Limits(study.config.time_zone, study.config.data_until)
    tables: dict[str, Checked] = {}
    notes: list[str] = []
    for name in TABLES:  # parents come before their children there
        if name not in files:
            continue
        try:
            raw = study.engine.source(files[name], study.raw, _shown(study, name))
            tables[name] = check(raw, name, limits, tables)
            notes += _lost_zeros(raw, name, files[name].read_text(encoding="utf-8"))
            study.engine.forget(raw)
        except ContractError as error:
            faults.append(f"{_shown(study, name)}: {error}")
        except WaageError as error:
            faults.append(str(error))
    if study.notebook is not None:
        study.note_inputs(_files_read(study, files))
    for name, checked in tables.items():
        faults += _verdict(study, name, checked)
    if faults:
        if any(checked.rows_quarantined for checked in tables.values()):
            # Nothing is published when a run stops, yet somebody has to look at these rows.
            study.state.mkdir(parents=True, exist_ok=True)
            rows = Ingest(tables, ()).quarantine
            study.engine.connection.to_parquet(rows, study.state / "quarantine.parquet")
            faults.append(f"the rows in question, with their reasons: data/{study.name}/state/quarantine.parquet")
        raise WaageError("\n".join(faults))
    return Ingest(tables, tuple(notes))


def _files_read(study: Study, sources: dict[str, Path]) -> dict[str, Path]:
    """Return the SQL files and the raw files they name, by a name for the manifest."""
    read = {f"sources/{name}.sql": file for name, file in sources.items()}
    for file in sources.values():
        for pattern in re.findall(r"\$\{raw\}/([^'\"]+)", file.read_text(encoding="utf-8")):
            found = sorted(path for path in study.raw.glob(pattern) if path.is_file())
            read |= {f"raw/{path.relative_to(study.raw)}": path for path in found}
    return read


def _verdict(study: Study, name: str, checked: Checked) -> list[str]:
    allowed = 0.0 if TABLES[name].strict else study.config.max_quarantine_share
    if checked.fault_share > allowed and TABLES[name].strict:
        return [
            f"{_shown(study, name)}: {checked.rows_quarantined - checked.rows_excluded:,} of {checked.rows_in:,} rows "
            f"break rules, and an act of consent must not get lost{checked.faults}\n  correct the source, or set rows "
            "aside there by quarantine_reason"
        ]
    if checked.fault_share > allowed:
        bad = checked.rows_quarantined - checked.rows_excluded
        return [
            f"{_shown(study, name)}: {bad:,} of {checked.rows_in:,} rows ({checked.fault_share:.1%}) break rules, more "
            f"than max_quarantine_share {allowed:.1%}{checked.faults}\n  correct the source, or raise "
            f"max_quarantine_share in data/{study.name}/study.yaml if this is as it should be"
        ]
    if name == "orders" and not checked.rows_accepted:
        why = "yields no rows" if not checked.rows_in else f"has no row left{checked.faults}"
        return [f"{_shown(study, name)}: {why}; without orders there is nothing to look at"]
    return []


def _lost_zeros(raw: ir.Table, name: str, sql: str) -> list[str]:
    """Return a note where a CSV reader has turned ids into numbers, since leading zeros were lost there."""
    ids = [
        column.name
        for column in TABLES[name].columns
        if column.kind == "id" and column.name in raw.columns and raw[column.name].type().is_integer()
    ]
    if not ids or "read_csv" not in sql.lower():
        return []
    return [
        f"{name}: {', '.join(ids)} came out of read_csv as numbers; a leading zero after the first 20,480 rows "
        "would be lost: read the file with all_varchar = true"
    ]


def _shown(study: Study, name: str) -> str:
    return f"data/{study.name}/sources/{name}.sql"
