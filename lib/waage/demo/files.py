"""Files the simulated systems export: appended chunk by chunk, so that memory does not grow with persons.

Bytes depend on the rows alone: no clock, no order of sets. A file carries a temporary name until all is written.
"""

from pathlib import Path
from types import TracebackType

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from waage.errors import WaageError

CSV_OPTIONS: dict[str, dict] = {
    "loyalty_cards": {"sep": ";", "encoding": "latin-1", "decimal": ","},
    "pos_receipts": {"sep": ";"},
}
"""How each CSV export differs from comma, point and UTF-8."""

_PARTIAL = ".partial"


class Files:
    """The files below a folder, by name without suffix; rows are appended, `close` gives the final names.

    Use it as a context manager: after an exception the unfinished files are removed.

    Parameters
    ----------
    folder : path
        Gets `raw/` and `truth/`.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._texts: dict[Path, object] = {}
        self._parquets: dict[Path, pq.ParquetWriter] = {}
        for part in ("raw", "truth"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)

    def csv(self, name: str, frame: pd.DataFrame, **options: object) -> None:
        """Append rows to raw/<name>.csv; the first call writes the header. `options` go to `DataFrame.to_csv`."""
        options = CSV_OPTIONS.get(name, {}) | options
        file, is_new = self._text(self.folder / "raw" / f"{name}.csv", str(options.pop("encoding", "utf-8")))
        frame.to_csv(file, index=False, header=is_new, lineterminator="\n", **options)

    def jsonl(self, name: str, frame: pd.DataFrame) -> None:
        """Append rows to raw/<name>.jsonl, one object a line; missing values are null."""
        file, _ = self._text(self.folder / "raw" / f"{name}.jsonl", "utf-8")
        if len(frame):
            frame.to_json(file, orient="records", lines=True, force_ascii=False, date_format="iso")

    def parquet(self, name: str, frame: pd.DataFrame) -> None:
        """Append a row group to raw/<name>.parquet; the first frame fixes the types (missing stays NULL)."""
        self._append(self.folder / "raw" / f"{name}.parquet", frame)

    def truth(self, name: str, frame: pd.DataFrame) -> None:
        """Append a row group to truth/<name>.parquet."""
        self._append(self.folder / "truth" / f"{name}.parquet", frame)

    def close(self) -> None:
        """Finish every file and give it its name."""
        for path in self._finish():
            _partial(path).replace(path)

    def __enter__(self) -> "Files":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            for path in self._finish():
                _partial(path).unlink(missing_ok=True)

    def _text(self, path: Path, encoding: str) -> tuple[object, bool]:
        is_new = path not in self._texts
        if is_new:
            # A name that Latin-1 lacks becomes "?", as it does in a real export.
            self._texts[path] = _partial(path).open("w", encoding=encoding, errors="replace", newline="")
        return self._texts[path], is_new

    def _append(self, path: Path, frame: pd.DataFrame) -> None:
        writer = self._parquets.get(path)
        if writer is None:
            table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
            untyped = [field.name for field in table.schema if pa.types.is_null(field.type)]
            if untyped:
                # A column empty in the first chunk would refuse the second chunk's values.
                schema = pa.schema([pa.field(f.name, pa.string()) if f.name in untyped else f for f in table.schema])
                table = table.cast(schema)
            writer = pq.ParquetWriter(_partial(path), table.schema, compression="zstd")
            self._parquets[path] = writer
        else:
            try:
                table = pa.Table.from_pandas(frame, schema=writer.schema, preserve_index=False)
            except (pa.ArrowInvalid, pa.ArrowTypeError, KeyError) as error:
                raise WaageError(f"{path.name}: a later chunk does not fit the first one's columns: {error}") from error
            table = table.replace_schema_metadata()
        writer.write_table(table)

    def _finish(self) -> list[Path]:
        paths = [*self._texts, *self._parquets]
        for file in (*self._texts.values(), *self._parquets.values()):
            file.close()
        self._texts, self._parquets = {}, {}
        return paths


def _partial(path: Path) -> Path:
    return path.with_name(path.name + _PARTIAL)
