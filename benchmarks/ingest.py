"""Cost of the contract: sources checked row by row against the same sources only read and written."""

import tempfile
import time
from pathlib import Path

from waage.sources import check_sources
from waage.study import Study


def main(study_name: str = "completejourney", repeats: int = 3) -> None:
    """Print the ratio of reading with the check to reading without, best of `repeats`."""
    best = {"checked": float("inf"), "unchecked": float("inf")}
    rows = 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            study = Study.open(study_name)
            start = time.perf_counter()
            for file in sorted((study.folder / "sources").glob("*.sql")):
                table = study.engine.source(file, study.raw, file.name)
                study.engine.connection.to_parquet(table, Path(folder) / f"{file.stem}.parquet", compression="zstd")
            best["unchecked"] = min(best["unchecked"], time.perf_counter() - start)

            study = Study.open(study_name)
            start = time.perf_counter()
            ingest = check_sources(study)
            for name, checked in ingest.tables.items():
                study.engine.connection.to_parquet(
                    checked.accepted, Path(folder) / f"{name}.parquet", compression="zstd"
                )
            best["checked"] = min(best["checked"], time.perf_counter() - start)
            rows = int(ingest.summary["rows_in"].sum())
    print(
        f"{study_name}, {rows:,} rows: with the contract {best['checked']:.1f} s, without {best['unchecked']:.1f} s, "
        f"ratio {best['checked'] / best['unchecked']:.1f}"
    )


if __name__ == "__main__":
    main()
