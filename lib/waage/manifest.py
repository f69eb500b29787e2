"""The manifest of a study's runs: what ran, from what, with what result; and the index made of it."""

import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import waage
from waage.engine import sha256
from waage.notebook import Notebook
from waage.publication import read_json, table_path, write_json
from waage.report import header_facts, write_index
from waage.study import Study

PACKAGES = ("duckdb", "ibis-framework", "sqlglot", "pandas", "numpy", "scipy", "scikit-learn", "statsmodels")
PACKAGES += ("lifetimes", "matplotlib", "seaborn", "papermill", "nbclient", "ipykernel", "voila")


def open_manifest(study: Study, notebooks: Mapping[str, Notebook]) -> dict:
    """Return the manifest of a run that begins; notebooks that will not run keep their entries of the last one.

    Parameters
    ----------
    study : Study
    notebooks : mapping of name to Notebook
        All there are; entries of others are dropped.
    """
    before = read_json(study.reports / "manifest.json")
    return {
        "waage": waage.__version__,
        "study": _described(study),
        "run": {
            "started": now(),
            "_start": time.time(),
            "git": _git(study.root),
            "versions": {name: metadata.version(name) for name in PACKAGES},
            "engine": {"kind": "duckdb", "memory": study.engine.memory, "threads": study.engine.threads},
        },
        "notebooks": {key: entry for key, entry in before.get("notebooks", {}).items() if key in notebooks},
        "customer_file": before.get("customer_file"),
    }


def _described(study: Study) -> dict:
    config = study.config
    return {
        "name": study.name,
        "language": config.language,
        "currency": config.currency,
        "money": config.money,
        "as_of": str(config.as_of),
        "data_until": str(config.data_until),
        "time_zone": config.time_zone,
        "simulated": study.simulated,
    }


def save_manifest(study: Study, notebooks: Mapping[str, Notebook], manifest: dict) -> None:
    """Write manifest.json and index.html, with a note beside each entry that no longer fits tables or settings."""
    manifest["notebooks"] = {name: manifest["notebooks"][name] for name in notebooks if name in manifest["notebooks"]}
    manifest["quarantine"] = _quarantine(study)
    kept = {**manifest, "run": {key: value for key, value in manifest["run"].items() if not key.startswith("_")}}
    by_hand = _by_hand(study, kept)
    shown = {**kept, "notebooks": {name: _with_age(kept, name, by_hand) for name in kept["notebooks"]}}
    write_json(study.reports / "manifest.json", kept)
    write_index(shown, study.reports / "index.html")


def _with_age(manifest: dict, name: str, by_hand: Mapping[str, list[str]]) -> dict:
    """Return a notebook's entry, with a warning where it no longer fits the tables or the settings."""
    entry = manifest["notebooks"][name]
    newest = {
        table: out["sha256"] for other in manifest["notebooks"].values() for table, out in other["outputs"].items()
    }
    old = [table for table, read in entry["inputs"].items() if newest.get(table, read["sha256"]) != read["sha256"]]
    notes = [f"Older than its input ({', '.join(old)}): run {name} again."] if old else []
    study = manifest["study"]
    looked_from, currency = entry.get("as_of"), entry.get("currency")
    if (looked_from, currency) != (study["as_of"], study["currency"]):
        notes.append(f"Figures of an earlier run, as of {looked_from} in {currency}: run {name} again.")
    if name in by_hand:
        notes.append(f"Rewritten by hand since ({', '.join(by_hand[name])}): this report shows the run before.")
    return {**entry, "warnings": [*entry["warnings"], *notes]} if notes and entry["outputs"] else entry


def _by_hand(study: Study, manifest: dict) -> dict[str, list[str]]:
    """Return, by notebook, the tables whose files are not those that the last run published."""
    found: dict[str, list[str]] = {}
    for name, entry in manifest["notebooks"].items():
        for table, output in entry["outputs"].items():
            path = table_path(study.tables, table)
            if path is None or sha256(path) != output["sha256"]:
                found.setdefault(name, []).append(table)
    return found


def _quarantine(study: Study) -> list[dict]:
    if not study.has("ingest_report"):
        return []
    report = study.read("ingest_report").execute()
    entries = []
    for table, rows in report.groupby("table", sort=False):
        total = rows.iloc[0]
        reasons = rows[rows["reason"] != ""]
        entries.append(
            {
                "table": table,
                "rows_in": int(total["rows_in"]),
                "accepted": int(total["accepted"]),
                "quarantined": int(total["quarantined"]),
                "reasons": {row.reason: int(row.rows) for row in reasons.itertuples()},
            }
        )
    return entries


def facts(study: Study, entry: dict) -> dict[str, str]:
    """Return what the head of a notebook's report says."""
    since = time.time() - datetime.fromisoformat(entry["started"]).timestamp()
    return header_facts(_described(study), {"started": entry["started"], "seconds": since})


def _git(root: Path) -> dict:
    """Return the commit and whether the tree differs from it; empty outside a checkout."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True, timeout=10
        )
        status = subprocess.run(
            ["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": commit.stdout.strip(), "dirty": bool(status.stdout.strip())}


def now() -> str:
    """Return the moment in UTC, ISO form."""
    return datetime.now(UTC).isoformat(timespec="seconds")
