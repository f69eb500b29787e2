"""Tables that become visible together, and files that are never half written.

A notebook's tables are staged. A journal makes their publication one step: whoever reads after it is
written sees the new tables, whoever reads before sees the old ones, wherever a run is killed.
"""

import json
import os
import shutil
import time
from pathlib import Path

KEPT = "state"  # beside the tables, and inside a stage: what one run hands to the next
DOCUMENTS = "documents"  # inside a stage: what lies beside the reports afterwards
_JOURNAL = "commit.json"


def table_path(tables: Path, name: str) -> Path | None:
    """Return the file of a visible table, or None; looks through the journal of an unfinished publication."""
    # A publication takes milliseconds. Who waits for it opens the final file, not one about to be renamed.
    for _ in range(20):
        if not (journal := read_json(tables / _JOURNAL)):
            break
        time.sleep(0.05)
    if journal:
        staged = tables / journal["stage"] / f"{name}.parquet"
        if name in journal["tables"] and staged.is_file():
            return staged
        if name in journal["removed"]:
            return None
    path = tables / f"{name}.parquet"
    return path if path.is_file() else None


def kept_path(tables: Path, name: str) -> Path | None:
    """Return the file a published run kept under that name, or None; looks through the journal, too."""
    journal = read_json(tables / _JOURNAL)
    for ending in ("parquet", "json"):
        file = f"{name}.{ending}"
        places = [tables / journal["stage"] / KEPT / file] if file in journal.get("kept", ()) else []
        for path in (*places, tables.parent / KEPT / file):
            if path.is_file():
                return path
    return None


def publish(tables: Path, stage: Path, staged: list[str], stale: list[str], reports: Path) -> None:
    """Make a stage's tables visible, and stale ones invisible, in one step, with what it keeps; documents just before.

    Parameters
    ----------
    tables, stage : Path
        The study's tables; a folder under it with the staged ones.
    staged, stale : list of str
        Names of tables.
    reports : Path
        Where documents go.
    """
    complete(tables)
    kept = sorted(file.name for file in (stage / KEPT).glob("*"))
    for file in (stage / DOCUMENTS).glob("*"):
        # Before the tables and by copy: reports may lie on another disk, and a full one must not block the journal.
        reports.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, reports / f".{file.name}.new")
        os.replace(reports / f".{file.name}.new", reports / file.name)
    journal = {"stage": str(stage.relative_to(tables)), "tables": staged, "removed": stale, "kept": kept}
    write_json(tables / _JOURNAL, journal)
    complete(tables)


def complete(tables: Path) -> None:
    """Carry an announced publication to its end; does nothing where none is announced."""
    journal = read_json(tables / _JOURNAL)
    if not journal:
        return
    stage = tables / journal["stage"]
    for name in journal["tables"]:
        if (stage / f"{name}.parquet").is_file():
            os.replace(stage / f"{name}.parquet", tables / f"{name}.parquet")
    for name in journal.get("kept", ()):
        if (stage / KEPT / name).is_file():
            (tables.parent / KEPT).mkdir(exist_ok=True)
            os.replace(stage / KEPT / name, tables.parent / KEPT / name)
    for name in journal["removed"]:
        (tables / f"{name}.parquet").unlink(missing_ok=True)
    (tables / _JOURNAL).unlink()
    shutil.rmtree(stage, ignore_errors=True)


def write_json(path: Path, content: object) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def read_json(path: Path) -> dict:
    """Return a JSON file's content, or an empty dict where there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
