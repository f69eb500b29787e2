"""A study on disk: its settings, its tables, and what a notebook says to the report."""

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import ibis.expr.types as ir
import pandas as pd
import psutil

from waage.config import StudyConfig, read_config
from waage.engine import DuckDBEngine, describe, open_engine, sha256
from waage.errors import WaageError, did_you_mean
from waage.notebook import Notebook, find_notebooks, given_parameters, namespace, pick
from waage.publication import DOCUMENTS, KEPT, complete, kept_path, publish, read_json, table_path, write_json
from waage.tables import TABLES, key_of


def find_root(start: Path | None = None) -> Path:
    """Return the workbench's folder: WAAGE_HOME, or the nearest one upward with a pyproject.toml.

    Raises
    ------
    WaageError
        When neither is there.
    """
    if os.environ.get("WAAGE_HOME"):
        return Path(os.environ["WAAGE_HOME"]).resolve()
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").is_file():
            return folder
    raise WaageError(f"no workbench at or above {start}: work inside its folder, or set WAAGE_HOME to it")


def list_studies(root: Path) -> list[str]:
    """Return the names of the studies under data/."""
    return sorted(file.parent.name for file in (root / "data").glob("*/study.yaml"))


class Study:
    """One folder under data/: one retailer or one data set.

    Open it with `Study.open`. Tables come as lazy Ibis tables; `.execute()` makes a DataFrame of one.

    Attributes
    ----------
    name : str
    config : StudyConfig
    root, folder, raw, tables, state, reports : Path
    notebook : Notebook or None
        The notebook that reads and writes, where one was named.
    """

    def __init__(self, root: Path, config: StudyConfig, notebook: Notebook | None = None) -> None:
        self.root, self.config, self.notebook, self.name = root, config, notebook, config.name
        self.folder = root / "data" / config.name
        self.tables, self.state = self.folder / "tables", self.folder / "state"
        self.reports = root / "reports" / config.name
        self._said: dict = {
            "headlines": [],
            "warnings": [],
            "inputs": {},
            "outputs": {},
            "documents": [],
            "finished": False,
        }
        self._written: set[str] = set()  # since the study was opened, over several finishes

    @classmethod
    def open(cls, name: str = "", notebook: str = "") -> "Study":
        """Open a study by its name.

        Parameters
        ----------
        name : str
            A folder under data/; empty takes the environment variable WAAGE_STUDY.
        notebook : str
            The notebook that opens it ("04_clv"); needed to write tables.

        Raises
        ------
        WaageError
            For an unknown study (with the list), a name that is no folder name, a faulty study.yaml.
        """
        root = find_root()
        name = name or os.environ.get("WAAGE_STUDY", "")
        known = list_studies(root)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise WaageError(
                f"{name!r} is not the name of a study (letters, digits, - and _); there are {_list(known)}"
            )
        if name not in known:
            raise WaageError(f"no study is called {name!r}{did_you_mean(name, known)}; there are {_list(known)}")
        config = read_config(root / "data" / name / "study.yaml", f"data/{name}/study.yaml")
        found = None
        if notebook:
            notebooks = find_notebooks(root / "notebooks")
            found = notebooks[pick(notebooks, notebook)]
        return cls(root, config, found)

    @cached_property
    def engine(self) -> DuckDBEngine:
        """The engine, opened on first use."""
        return open_engine(self.config.engine, self.tables / ".spill")

    @cached_property
    def raw(self) -> Path:
        """The folder with the raw extracts; WaageError when a package that holds it is missing."""
        if not self.config.raw.startswith("package:"):
            return self.folder / self.config.raw
        module, _, inner = self.config.raw.removeprefix("package:").partition("/")
        spec = importlib.util.find_spec(module)
        if spec is None or not spec.submodule_search_locations:
            raise WaageError(f"data/{self.name}/study.yaml: raw lies in the package {module!r}, which is not installed")
        return Path(spec.submodule_search_locations[0]) / inner

    @property
    def id_key(self) -> str:
        """The secret behind new person ids: the environment variable WAAGE_ID_KEY, empty where there is none."""
        return os.environ.get("WAAGE_ID_KEY", "")

    @property
    def simulated(self) -> bool:
        """Whether the study is simulated, that is, whether its truth is known."""
        return (self.folder / "truth").is_dir()

    # Reading

    def read(self, name: str, person: bool = False) -> ir.Table:
        """Return a table, lazily.

        Parameters
        ----------
        name : str
            A canonical or a result table; what this notebook has just written is read back.
        person : bool
            Join `person_id` from `identity_map` (NULL where the row has no known person).

        Raises
        ------
        WaageError
            When the study has no such table.
        """
        path = self._path(name)
        if path is None:
            key_of(name)
            raise WaageError(f"study {self.name} has no table {name!r}; {self._origin(name)}")
        if self.notebook is not None and path.parent != self.stage and name not in self._said["inputs"]:
            file = describe(path)
            self._said["inputs"][name] = {"sha256": file.sha256, "rows": file.rows}
            self._save()
        table = self.engine.read(path)
        if person:
            people = self.read("identity_map").select("source", "source_id", "person_id")
            table = table.left_join(people, ["source", "source_id"]).drop("source_right", "source_id_right")
        return table

    def has(self, name: str) -> bool:
        """Return whether the study has a table of that name with at least one row; WaageError for an unknown name."""
        key_of(name)
        path = self._path(name)
        return path is not None and describe_rows(path) > 0

    def truth(self, name: str) -> ir.Table:
        """Return a table of a simulated study's known truth; for tests and sections "Against the known truth"."""
        path = self.folder / "truth" / f"{name}.parquet"
        if not path.is_file():
            raise WaageError(f"study {self.name} has no truth {name!r}: the truth is known of simulated studies only")
        return self.engine.read(path)

    def parameters(self, notebook: str = "", given: Mapping[str, object] | None = None) -> SimpleNamespace:
        """Return a notebook's parameters: its defaults, over them study.yaml, over them what was given.

        Parameters
        ----------
        notebook : str
            Its name; empty takes the one the study was opened with.
        given : mapping, optional
            The running notebook's `globals()`; what Papermill injected or a hand changed wins.

        Raises
        ------
        WaageError
            Naming every unknown parameter and wrong type.
        """
        notebooks = find_notebooks(self.root / "notebooks")
        chosen = notebooks[pick(notebooks, notebook)] if notebook else self.notebook
        if chosen is None:
            raise WaageError("parameters of which notebook? Name it, or open the study with notebook=...")
        own = given_parameters(chosen, given) if given else {}
        place, theirs = f"data/{self.name}/study.yaml", self.overrides(chosen, notebooks)
        values = chosen.resolve(theirs, own, where=[place])
        if given and "WAAGE_STAGE" not in os.environ:
            # By hand a default may have been edited and saved; that study.yaml wins over it must not go unseen.
            for name in theirs:
                if name not in own and values[name] != chosen.parameters[name].default:
                    warnings.warn(f"{place} sets {name} = {values[name]!r}, over this notebook's default", stacklevel=2)
        return namespace(values)

    def overrides(self, notebook: Notebook, notebooks: Mapping[str, Notebook]) -> dict[str, object]:
        """Return what study.yaml sets for a notebook; WaageError for a notebook that does not exist."""
        merged: dict[str, object] = {}
        for name, values in self.config.notebooks.items():
            try:
                if pick(notebooks, name) == notebook.name:
                    merged |= values
            except WaageError as error:
                raise WaageError(f"data/{self.name}/study.yaml, notebooks: {error}") from None
        return merged

    # Writing

    def write(self, name: str, table: ir.Table | pd.DataFrame) -> None:
        """Stage a table, ordered by its key; it becomes visible when the notebook finishes.

        Raises
        ------
        WaageError
            When the notebook does not declare the table among its `writes`, or the disk refuses.
        """
        if self.notebook is None or name not in self.notebook.writes:
            who = f"notebook {self.notebook.name}" if self.notebook else "a study opened without notebook=..."
            allowed = f" (it declares {_list(self.notebook.writes)})" if self.notebook else ""
            raise WaageError(f"{who} does not write a table {name!r}{allowed}; see waage.writes in its metadata")
        file = self.engine.write(table, self.stage / f"{name}.parquet", key_of(name), unique=name in TABLES)
        self._said["outputs"][name] = {"sha256": file.sha256, "rows": file.rows, "bytes": file.bytes}
        self._written.add(name)
        self._save()

    def keep(self, name: str, content: pd.DataFrame | Mapping[str, object]) -> None:
        """Stage what the next run of this notebook is to find; it becomes visible with the tables.

        Parameters
        ----------
        name : str
        content : DataFrame or mapping
            A frame is kept as Parquet, a mapping as JSON.
        """
        folder = self.stage / KEPT
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pd.DataFrame):
            content.to_parquet(folder / f"{name}.parquet", index=False)
        else:
            write_json(folder / f"{name}.json", content)

    def kept(self, name: str) -> pd.DataFrame | dict | None:
        """Return what the last published run kept under that name; None where there is nothing."""
        path = kept_path(self.tables, name)
        if path is None:
            return None
        return pd.read_parquet(path) if path.suffix == ".parquet" else read_json(path)

    def document(self, name: str, text: str) -> None:
        """Stage a text for people, such as "segments.yaml"; it lies beside the reports when the notebook finishes.

        Raises
        ------
        WaageError
            For a name that is not one of a file for people (letters, digits, _ and -; .yaml, .csv, .md, .txt, .html,
            .svg or .pdf).
        """
        self.document_path(name).write_text(text, encoding="utf-8")

    def document_path(self, name: str) -> Path:
        """Return where to write a document that is no text, see `document`."""
        own = re.match(r"index\.|\d\d_", name)  # the index, and reports of notebooks
        if own or not re.fullmatch(r"[A-Za-z0-9_-]+\.(yaml|csv|md|txt|html|svg|pdf)", name):
            endings = ".yaml, .csv, .md, .txt, .html, .svg or .pdf, and no name of a report"
            raise WaageError(f"a document cannot be called {name!r}: letters, digits, _, - and {endings}")
        folder = self.stage / DOCUMENTS
        folder.mkdir(parents=True, exist_ok=True)
        self._said["documents"] = sorted({*self._said["documents"], name})
        self._save()
        return folder / name

    @property
    def outputs(self) -> dict[str, dict]:
        """What was written so far: table name to rows, bytes and sha256."""
        return dict(self._said["outputs"])

    def headline(
        self,
        key: str,
        value: float | str,
        unit: str = "",
        low: float | None = None,
        high: float | None = None,
        level: float = 0.95,
    ) -> None:
        """Put a figure on the report's index.

        Parameters
        ----------
        key : str
            snake_case, such as "customers".
        value : number or str
            Raw; the index rounds it for people.
        unit : str
            "customers", "orders", a currency code, "%" (value is a share), or empty.
        low, high : float, optional
            The interval of an estimate, in the same unit.
        level : float
            Its coverage, 0 to 1.
        """
        entry = {"key": key, "value": value if isinstance(value, str | int) else float(value), "unit": unit}
        if low is not None and high is not None:
            entry |= {"low": float(low), "high": float(high), "level": level}
        others = [other for other in self._said["headlines"] if other["key"] != key]
        self._said["headlines"] = [*others, entry]
        self._save()

    def warn(self, text: str) -> None:
        """Put a warning on the report's index, once."""
        if text not in self._said["warnings"]:
            self._said["warnings"].append(text)
            self._save()

    def finish(self) -> None:
        """End the notebook: make its tables visible together.

        Under the runner this only says that the end was reached; the runner publishes after it has seen
        that every cell ran. By hand it publishes what was written since the last finish; tables the notebook
        declares but did not write since it opened the study disappear.

        Raises
        ------
        WaageError
            When what was staged is gone, or the runner is at work on this study.
        """
        if self.notebook is None:
            raise WaageError("only a study opened with notebook=... can be finished")
        outputs = self._said["outputs"]
        gone = [name for name in outputs if not (self.stage / f"{name}.parquet").is_file()]
        if gone:
            raise WaageError(f"staged tables are gone ({_list(gone)}): run this notebook again from its top")
        if "WAAGE_STAGE" in os.environ:
            self._said["finished"] = True
            self._save()
        elif outputs:
            with self.alone():
                stale = [name for name in self.notebook.writes if name not in self._written]
                publish(self.tables, self.stage, list(outputs), stale, self.reports)
            self._said["outputs"] = {}

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the study's lock while publishing; the system lets go of it when the process ends, however it ends.

        Raises
        ------
        WaageError
            When another process holds it.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        self.tables.mkdir(parents=True, exist_ok=True)
        with (self.state / "run.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise WaageError(f"another run of {self.name} is under way; wait for it to end") from None
            yield

    def tidy(self) -> None:
        """Finish a publication somebody was killed in, and remove what dead processes left; hold the lock first."""
        complete(self.tables)
        for folder in (*self.tables.glob(".staging/*"), *self.tables.glob(".spill/*")):
            process = folder.name.rpartition("-")[2]
            if not (process.isdigit() and psutil.pid_exists(int(process))):
                shutil.rmtree(folder, ignore_errors=True)

    # Where things lie

    @cached_property
    def stage(self) -> Path:
        """Where this notebook's tables wait until it has finished."""
        if "WAAGE_STAGE" in os.environ:
            return Path(os.environ["WAAGE_STAGE"])
        return self.tables / ".staging" / f"{self.notebook.name if self.notebook else 'reader'}-{os.getpid()}"

    def _path(self, name: str) -> Path | None:
        staged = self.stage / f"{name}.parquet"
        if self.notebook is not None and name in self._said["outputs"] and staged.is_file():
            return staged
        return table_path(self.tables, name)

    def _origin(self, name: str) -> str:
        writers = [nb.name for nb in find_notebooks(self.root / "notebooks").values() if name in nb.writes]
        return f"run {' or '.join(writers)} first" if writers else "no notebook writes it yet"

    def note_inputs(self, files: Mapping[str, Path]) -> None:
        """Record files that were read, by a name for the manifest, with their size and SHA-256.

        What was hashed once is looked up by path, size and time of change, so that large extracts are not
        read twice on every run.
        """
        memory = read_json(self.state / "hashes.json")
        for name, path in files.items():
            stamp = f"{path.stat().st_size}-{path.stat().st_mtime_ns}"
            if memory.get(str(path), {}).get("stamp") != stamp:
                memory[str(path)] = {"stamp": stamp, "sha256": sha256(path)}
            self._said["inputs"][name] = {"sha256": memory[str(path)]["sha256"], "bytes": path.stat().st_size}
        self.state.mkdir(parents=True, exist_ok=True)
        write_json(self.state / "hashes.json", memory)
        self._save()

    def _save(self) -> None:
        """Keep what was said beside the staged tables; a study opened without a notebook says nothing."""
        if self.notebook is not None:
            self.stage.mkdir(parents=True, exist_ok=True)
            write_json(self.stage / "said.json", self._said)


def describe_rows(path: Path) -> int:
    """Return the number of rows of a Parquet file."""
    import pyarrow.parquet as pq

    return pq.read_metadata(path).num_rows


def _list(names: object) -> str:
    return ", ".join(names) or "none"
