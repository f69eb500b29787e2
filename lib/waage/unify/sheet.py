"""The clerk's sheet and the file of decisions: CSV files that people open in a spreadsheet."""

import csv
import io
import os
from pathlib import Path

import pandas as pd

from waage.errors import WaageError, did_you_mean
from waage.unify.decisions import read_decisions
from waage.unify.review import DECISION, VERDICTS


def write_sheet(sheet: pd.DataFrame, path: Path, delimiter: str = ",", force: bool = False) -> None:
    """Write the sheet as a spreadsheet opens it; WaageError when one with verdicts is there and not `force`."""
    if path.is_file() and not force:
        rows = _read_csv(path)[1]
        filled = sum(bool((row.get("verdict") or "").strip()) for _, row in rows)
        if filled:
            raise WaageError(f"{path.name} holds {filled} verdicts: read them with --read, or draw anew with --force")
    safe = sheet.apply(lambda column: column.str.replace(r"\s+", " ", regex=True))
    # A cell that begins like a formula is run by the spreadsheet, and customers type these cells.
    safe = safe.apply(lambda column: column.str.replace(r"^(?=[=+\-@])", "'", regex=True))
    path.write_text(safe.to_csv(index=False, sep=delimiter), encoding="utf-8-sig")


def read_verdicts(path: Path, sample: pd.DataFrame) -> pd.Series:
    """Return the verdicts of a filled-in sheet, by pair_id; pairs without one are left out.

    Commas, semicolons and tabs, a byte order mark and Excel's Windows encoding are understood; other columns than
    pair_id and verdict are not read, since a spreadsheet may have spoilt them.

    Raises
    ------
    WaageError
        For a missing file or column; naming line and value of each unknown verdict, of each pair that is not in the
        sample, and of each pair with two verdicts.
    """
    if not path.is_file():
        raise WaageError(f"{path}: there is no such file; draw the pairs first, and fill in their column verdict")
    names, rows, _ = _read_csv(path)
    if missing := {"pair_id", "verdict"} - set(names):
        raise WaageError(f"{path.name}: column {', '.join(sorted(missing))} is missing; its columns are {names}")
    known, verdicts, faults = set(sample["pair_id"]), {}, []
    for line, row in rows:
        pair, verdict = ((row[name] or "").strip() for name in ("pair_id", "verdict"))
        verdict = verdict.lower()
        if not verdict:
            continue
        if verdict not in VERDICTS:
            hint = did_you_mean(verdict, VERDICTS)
            faults.append(f"line {line}: verdict {verdict!r} is none of {', '.join(VERDICTS)}{hint}")
        elif pair not in known:
            faults.append(f"line {line}: pair {pair!r} is not in the sample that was drawn last")
        elif verdicts.setdefault(pair, verdict) != verdict:
            faults.append(f"line {line}: pair {pair!r} has another verdict further up")
    if faults:
        raise WaageError(f"{path.name}:" + "".join(f"\n  - {fault}" for fault in faults))
    return pd.Series(verdicts, name="verdict", dtype=str)


def append_decisions(path: Path, decisions: pd.DataFrame) -> int:
    """Append decisions to a CSV that is there or not; what already is a pair's last decision is not repeated.

    Raises
    ------
    WaageError
        When the file would contradict itself; it stays as it is.
    """
    names, rows, delimiter = _read_csv(path) if path.is_file() else (DECISION, [], ",")
    if missing := [name for name in DECISION if name not in names]:
        raise WaageError(f"{path.name}: column {', '.join(missing)} is missing; its columns are {names}")
    last = {_pair(row): row["action"] for _, row in rows}
    new = [row for row in decisions.to_dict("records") if last.get(_pair(row)) != row["action"]]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, delimiter=delimiter, lineterminator="\n")
    if not path.is_file():
        writer.writeheader()
    elif not path.read_bytes().endswith(b"\n"):
        text.write("\n")
    writer.writerows(new)
    # What the next run would refuse is refused now, and the file stays as it is.
    whole = path.with_name(f".{path.name}")
    whole.write_bytes((path.read_bytes() if path.is_file() else b"") + text.getvalue().encode())
    try:
        read_decisions(whole, path.name)
        os.replace(whole, path)
    finally:
        whole.unlink(missing_ok=True)
    return len(new)


def write_sample(sample: pd.DataFrame, path: Path) -> None:
    """Keep what was drawn beside the sheet: keys and strata as they are, whatever a spreadsheet makes of the sheet."""
    path.write_text(sample.to_csv(index=False), encoding="utf-8")


def read_sample(path: Path) -> pd.DataFrame:
    """Return the pairs that were drawn last; WaageError when none were."""
    if not path.is_file():
        raise WaageError(f"{path}: no pairs were drawn yet; run the review without --read first")
    return pd.read_csv(path, dtype=str, keep_default_na=False).astype({"stratum_size": int})


def _pair(row: dict) -> frozenset:
    """Return a pair whichever way round it stands."""
    return frozenset([(row["source_a"], row["source_id_a"]), (row["source_b"], row["source_id_b"])])


def _read_csv(path: Path) -> tuple[list[str], list[tuple[int, dict]], str]:
    """Return column names, rows with their line numbers, and the delimiter of a CSV that a spreadsheet wrote."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")  # Excel's plain "CSV" on Windows
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    return list(reader.fieldnames or ()), [(reader.line_num, row) for row in reader], delimiter
