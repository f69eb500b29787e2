"""The runner: resolves parameters, executes notebooks through Papermill, publishes tables and reports together."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from waage import privacy
from waage.errors import WaageError
from waage.manifest import facts, now, open_manifest, save_manifest
from waage.notebook import Notebook, find_notebooks, pick
from waage.publication import publish, read_json, write_json
from waage.report import export_html
from waage.study import Study

CUSTOMER_FILE = Notebook(
    Path("customer_file"),
    "Customer file",
    {},
    ("persons",),
    ("rfm", "types", "clv", "person_consents"),
    ("customer_file",),
)


@dataclass
class Result:
    """What became of one notebook: status done, failed, skipped or blocked, and the reason for the latter three."""

    name: str
    status: str
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Listener:
    """Told what happens during a run; every callback may be left out."""

    started: Callable[[Notebook], None] = lambda notebook: None
    cell: Callable[[int, str], None] = lambda number, cell_id: None
    ended: Callable[[Result], None] = lambda result: None


@dataclass(frozen=True)
class _Failure(Exception):
    cell: str
    cause: str
    refused: bool = False


@dataclass(frozen=True)
class Plan:
    """What a run will do, settled before anything runs."""

    study: Study
    notebooks: dict[str, Notebook]
    selected: tuple[str, ...]
    parameters: dict[str, dict[str, object]] = field(default_factory=dict)


def plan_run(name: str, only: tuple[str, ...] = (), settings: tuple[str, ...] = ()) -> Plan:
    """Resolve notebooks and parameters: notebook default < study.yaml < settings.

    Parameters
    ----------
    name : str
        The study.
    only : tuple of str
        Notebooks by name, number or unique beginning; empty takes all.
    settings : tuple of str
        Such as "04_clv.horizon_months=6"; the value is read as YAML.

    Raises
    ------
    WaageError
        Naming every unknown notebook, unknown parameter and wrong type, before anything runs.
    """
    study = Study.open(name)
    notebooks = find_notebooks(study.root / "notebooks")
    faults: list[str] = []
    given: dict[str, dict[str, object]] = {key: {} for key in notebooks}
    for setting in settings:
        try:
            notebook, parameter, value = _read_setting(setting, notebooks)
            notebooks[notebook].resolve({parameter: value})
            if parameter == "study_name":
                raise WaageError(f"the study is the one this run is for, {study.name}")
            given[notebook][parameter] = value
        except WaageError as error:
            faults.append(f"--set {setting}: {error}")
    selected = list(notebooks)
    if only:
        chosen = set()
        for wanted in only:
            try:
                chosen.add(pick(notebooks, wanted))
            except WaageError as error:
                faults.append(f"--only {wanted}: {error}")
        selected = [key for key in notebooks if key in chosen]
    idle = [key for key in given if given[key] and key not in selected]
    faults += [f"--set {key}: this notebook is not among those to run ({', '.join(selected)})" for key in idle]
    parameters = {}
    for key in selected:
        try:
            layers = (study.overrides(notebooks[key], notebooks), {"study_name": study.name}, given[key])
            parameters[key] = notebooks[key].resolve(*layers, where=[f"data/{study.name}/study.yaml", "", "--set"])
        except WaageError as error:
            faults += [line for line in str(error).splitlines() if line not in faults]
    if faults:
        raise WaageError("\n".join(faults))
    return Plan(study, notebooks, tuple(selected), parameters)


def _read_setting(setting: str, notebooks: Mapping[str, Notebook]) -> tuple[str, str, object]:
    left, equals, text = setting.partition("=")
    notebook, dot, parameter = left.strip().partition(".")
    if not equals or not dot:
        raise WaageError("write notebook.parameter=value, such as 04_clv.horizon_months=6")
    notebook, parameter = pick(notebooks, notebook), parameter.strip()
    declared = notebooks[notebook].parameters.get(parameter)
    try:
        value = text if declared and declared.type == "str" else yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    return notebook, parameter, value


def run(plan: Plan, listener: Listener | None = None) -> list[Result]:
    """Carry out a plan.

    Parameters
    ----------
    plan : Plan
    listener : Listener, optional

    Returns
    -------
    list of Result
        One a notebook, in order.

    Raises
    ------
    WaageError
        When another run of the study is under way, or the reports folder cannot be written to.
    """
    listener, study = listener or Listener(), plan.study
    _check_writable(study.reports)
    with study.alone():
        study.tidy()
        manifest = open_manifest(study, plan.notebooks)
        results: list[Result] = []
        for name in plan.selected:
            listener.started(plan.notebooks[name])
            result, entry = _run_one(plan, name, results, listener)
            entry |= {
                "run": manifest["run"]["started"],
                "as_of": str(study.config.as_of),
                "currency": study.config.currency,
            }
            last_good = manifest["notebooks"].get(name, {})
            if result.status == "done":
                for document in set(last_good.get("documents", [])) - set(entry["documents"]):
                    (study.reports / document).unlink(missing_ok=True)
            if result.status != "done" and last_good.get("report"):
                # Tables and report are still those of the last good run, and so is what is said about them.
                changes = ("status", "reason", "failed_report", "seconds", "started", "run")
                entry = {**last_good, **{key: entry[key] for key in changes}}
            manifest["notebooks"][name] = entry
            results.append(result)
            save_manifest(study, plan.notebooks, manifest)
            listener.ended(result)
        # Also after a failure: an objection that 01 has just brought in must reach the file.
        manifest["customer_file"] = _write_customer_file(study)
        manifest["run"]["seconds"] = round(time.time() - manifest["run"].pop("_start"), 1)
        save_manifest(study, plan.notebooks, manifest)
    return results


def _run_one(plan: Plan, name: str, results: list[Result], listener: Listener) -> tuple[Result, dict]:
    study, notebook = plan.study, plan.notebooks[name]
    parameters = plan.parameters[name]
    entry = {
        "title": notebook.title,
        "started": now(),
        "parameters": parameters,
        "changed": {key: value for key, value in parameters.items() if value != notebook.parameters[key].default},
    }
    entry["changed"].pop("study_name", None)
    result, start = Result(name, "done"), time.time()
    said: dict = {}
    broken = {w: r.name for r in results if r.status in ("failed", "blocked") for w in plan.notebooks[r.name].writes}
    missing = [table for table in notebook.reads if not study.has(table)]
    if blockers := sorted({broken[table] for table in (*notebook.reads, *notebook.optional) if table in broken}):
        result.status, result.reason = "blocked", f"needs the results of {', '.join(blockers)}, which did not finish"
    elif missing:
        result.status, result.reason = "skipped", f"the study has no {' and no '.join(missing)}"
    else:
        try:
            said = _execute(study, notebook, parameters, entry, listener)
        except _Failure as failure:
            result.status, result.reason = "failed", f"{failure.cell}: {failure.cause}"
            if failure.refused:
                result.status, result.reason = "skipped", f"the data cannot carry it: {failure.cause}"
    result.seconds = round(time.time() - start, 1)
    report = Path(f"{name}.html")
    entry |= {
        "status": result.status,
        "reason": result.reason or None,
        "seconds": result.seconds,
        "headlines": said.get("headlines", []),
        "warnings": said.get("warnings", []),
        "inputs": said.get("inputs", {}),
        "outputs": said.get("outputs", {}),
        "documents": said.get("documents", []),
        "report": report.name if result.status == "done" else None,
        "failed_report": f"failed/{name}.html" if result.status == "failed" else None,
    }
    return result, entry


def _execute(study: Study, notebook: Notebook, parameters: dict, entry: dict, listener: Listener) -> dict:
    """Run one notebook and publish what it made; returns what it said, raises _Failure and changes nothing else."""
    stage = study.tables / ".staging" / notebook.name
    work = study.reports / ".work"
    executed = work / f"{notebook.name}.ipynb"
    page = work / f"{notebook.name}.html"
    current = ["start"]

    def on_cell(cell: dict, **_: object) -> None:
        # Numbered as in the notebook on disk: Papermill's cell with the parameters is not in it.
        number = notebook.cell_ids.index(cell["id"]) + 1 if cell["id"] in notebook.cell_ids else 0
        current[0] = f"cell {number} ({cell['id']})" if number else "the injected parameters"
        listener.cell(number, cell["id"])

    try:
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        work.mkdir(parents=True, exist_ok=True)
        try:
            _papermill(study, notebook, parameters, executed, stage, on_cell)
            _check_every_cell_ran(executed, current[0])
            said = read_json(stage / "said.json")
            if not said.get("finished"):
                raise _Failure("end", "the notebook has no study.finish() at its end, so its tables were not published")
            export_html(executed, page, title=notebook.title, facts=facts(study, entry))
        except Exception as error:
            failure = error if isinstance(error, _Failure) else _failure(error, current[0])
            if not failure.refused:
                _keep_failed(study, notebook, executed, entry)
            raise failure from error
        written = list(said["outputs"])
        stale = [name for name in notebook.writes if name not in written]
        publish(study.tables, stage, written, stale, study.reports)
        os.replace(executed, study.reports / executed.name)
        os.replace(page, study.reports / page.name)
        for name in (executed.name, page.name):
            (study.reports / "failed" / name).unlink(missing_ok=True)
        return said
    except OSError as error:
        raise _Failure(current[0], f"cannot write {error.filename or study.reports}: {error.strerror}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if not (study.tables / "commit.json").exists():
            shutil.rmtree(stage, ignore_errors=True)


def _papermill(
    study: Study, notebook: Notebook, parameters: dict, executed: Path, stage: Path, on_cell: Callable
) -> None:
    import papermill
    from traitlets.config import Config

    # Papermill's default transport picks a port, frees it and hopes; a socket of our own cannot be raced for.
    # Its path must stay short (about 107 characters), which a long TMPDIR would use up.
    short = "/tmp" if os.access("/tmp", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="waage-", dir=short) as sockets, _environment(study, stage):
        manager = {"connection_file": str(Path(sockets) / "kernel.json")}
        if os.name == "posix":
            manager["transport"] = "ipc"
        papermill.execute_notebook(
            str(notebook.path),
            str(executed),
            parameters=parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            cwd=str(notebook.path.parent),
            config=Config({"KernelManager": manager}),
            on_cell_start=on_cell,
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # errors reach us through the notebook
        )
    content = read_json(executed)
    # Papermill notes where files lay on this machine; a report may go to another one.
    content["metadata"]["papermill"] |= {"input_path": notebook.path.name, "output_path": executed.name}
    write_json(executed, content)


@contextlib.contextmanager
def _environment(study: Study, stage: Path) -> Iterator[None]:
    """What the kernel is told: where the workbench is, where to stage, and a fixed order of sets."""
    own = {"WAAGE_HOME": str(study.root), "WAAGE_STAGE": str(stage), "PYTHONHASHSEED": "0"}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _check_every_cell_ran(executed: Path, last: str) -> None:
    cells = [cell for cell in read_json(executed)["cells"] if cell["cell_type"] == "code"]
    left = [cell for cell in cells if cell["execution_count"] is None and "".join(cell["source"]).strip()]
    if left:
        raise _Failure(last, f"the kernel ended here without an error (sys.exit?); {len(left)} cells did not run")


def _failure(error: Exception, cell: str) -> _Failure:
    name = type(error).__name__
    if name == "PapermillExecutionError":
        ename, evalue = error.ename, str(error.evalue)
        own = ename in ("WaageError", "ContractError", "Refusal")
        return _Failure(cell, evalue if own else f"{ename}: {evalue}", refused=ename == "Refusal")
    if name == "DeadKernelError":
        return _Failure(cell, "the kernel died (killed, or out of memory)")
    if isinstance(error, OSError):
        return _Failure(cell, f"cannot write {error.filename or 'the report'}: {error.strerror}")
    return _Failure(cell, f"{name}: {error}")


def _keep_failed(study: Study, notebook: Notebook, executed: Path, entry: dict) -> None:
    """Keep the partial notebook and a page of it, as far as the disk lets us."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: the disk took half of it
        if executed.is_file():
            failed = study.reports / "failed"
            failed.mkdir(parents=True, exist_ok=True)
            os.replace(executed, failed / executed.name)
            page = failed / f"{notebook.name}.html"
            export_html(
                failed / executed.name, page, title=notebook.title, facts=facts(study, entry), index="../index.html"
            )


def _write_customer_file(study: Study) -> dict | None:
    """Write the table of what may leave the workbench, from the newest results; None without persons."""
    if not study.has("persons"):
        return None
    own = Study(study.root, study.config, CUSTOMER_FILE)
    parts = {name: own.read(name) if own.has(name) else None for name in CUSTOMER_FILE.optional}
    table = privacy.customer_file(own.read("persons"), **parts)
    own.write("customer_file", table)
    publish(study.tables, own.stage, ["customer_file"], [], study.reports)
    return {**own.outputs["customer_file"], "columns": list(table.columns)}


def _check_writable(folder: Path) -> None:
    """Refuse before anything runs where reports could not be written afterwards."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-") as probe:
            probe.write(b"0" * 4096)
            probe.flush()
    except OSError as error:
        raise WaageError(
            f"reports cannot be written to {folder}: {error.strerror}; free or open the folder and run again"
        ) from None
