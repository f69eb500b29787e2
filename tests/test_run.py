"""The runner on small studies: what is published, what is refused, and what a failure leaves untouched."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from typer.testing import CliRunner

from waage.cli import app
from waage.errors import WaageError
from waage.notebook import Notebook
from waage.publication import read_json
from waage.run import plan_run, run
from waage.study import Study


def waage(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def write_notebook(folder: Path, name: str, *code: str, reads=(), writes=(), end: bool = True) -> None:
    """Write a notebook with a parameters cell, the given cells, and an end that publishes."""
    cells = [
        nbformat.v4.new_markdown_cell(f"# {name}", id="title"),
        nbformat.v4.new_code_cell(
            'study_name: str = "small"  # study\nlevel: float = 0.5  # a share',
            id="parameters",
            metadata={"tags": ["parameters"]},
        ),
        nbformat.v4.new_code_cell(
            f'import pandas as pd\nfrom waage.study import Study\nstudy = Study.open(study_name, notebook="{name}")\n'
            "p = study.parameters(given=globals())",
            id="open",
        ),
        *(nbformat.v4.new_code_cell(text, id=f"cell-{i}") for i, text in enumerate(code)),
        *([nbformat.v4.new_code_cell("study.finish()", id="finish")] if end else []),
    ]
    metadata = {
        "waage": {"reads": list(reads), "writes": list(writes)},
        "kernelspec": {"name": "python3", "display_name": "x"},
    }
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / f"{name}.ipynb")


@pytest.fixture
def toys(home, make_study):
    """A workbench with three toy notebooks: 01 writes rfm, 02 reads it and writes clv, 03 needs neither."""
    make_study()
    folder = home / "notebooks"
    for file in folder.glob("*.ipynb"):
        file.unlink()
    one = 'study.write("rfm", pd.DataFrame({"person_id": ["a"], "frequency": [p.level]}))'
    one += '\nstudy.headline("people", 1, "persons")'
    two = 'study.write("clv", study.read("rfm").mutate(clv=1.5).select("person_id", "clv"))'
    write_notebook(folder, "01_one", one, writes=["rfm"])
    write_notebook(folder, "02_two", two, reads=["rfm"], writes=["clv"])
    write_notebook(folder, "03_three", 'study.warn("careful")')
    return home


def manifest(home: Path) -> dict:
    return read_json(home / "reports" / "small" / "manifest.json")


def status(home: Path) -> dict[str, str]:
    return {name: entry["status"] for name, entry in manifest(home)["notebooks"].items()}


def test_a_run_publishes_tables_reports_index_and_manifest(toys):
    result = waage("run", "small", "--set", "01.level=0.25")
    assert result.exit_code == 0, result.output
    reports = toys / "reports" / "small"
    for name in ("01_one", "02_two", "03_three"):
        assert (reports / f"{name}.html").is_file() and (reports / f"{name}.ipynb").is_file()
    study = Study.open("small")
    assert study.read("rfm").frequency.execute().tolist() == [0.25]
    assert study.read("clv").clv.execute().tolist() == [1.5]
    entry = manifest(toys)["notebooks"]["01_one"]
    assert entry["parameters"] == {"study_name": "small", "level": 0.25} and entry["changed"] == {"level": 0.25}
    assert entry["headlines"] == [{"key": "people", "value": 1, "unit": "persons"}]
    assert entry["outputs"]["rfm"]["rows"] == 1 and len(entry["outputs"]["rfm"]["sha256"]) == 64
    assert manifest(toys)["notebooks"]["02_two"]["inputs"]["rfm"]["sha256"] == entry["outputs"]["rfm"]["sha256"]
    assert manifest(toys)["run"]["versions"]["duckdb"].startswith("1.")
    index = (reports / "index.html").read_text()
    assert "careful" in index and "01_one.html" in index
    leftovers = [path.name for path in reports.iterdir() if path.name.startswith(".")]
    assert not leftovers and not any((study.tables / ".staging").iterdir())


def test_every_kernel_has_its_own_ipc_connection_file(toys, monkeypatch):
    import papermill

    seen, execute = [], papermill.execute_notebook
    monkeypatch.setattr(
        papermill, "execute_notebook", lambda *a, **k: (seen.append(k["config"]["KernelManager"]), execute(*a, **k))
    )
    run(plan_run("small", ("01", "03")))
    files = [manager["connection_file"] for manager in seen]
    assert len(set(files)) == 2 and all(manager["transport"] == "ipc" for manager in seen)
    assert all(len(file) < 80 for file in files)


def test_equal_runs_give_equal_tables(toys):
    hashes = []
    for _ in range(2):
        run(plan_run("small"))
        hashes.append({name: entry["outputs"] for name, entry in manifest(toys)["notebooks"].items()})
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "02.levle=1"], "02_two has no parameter 'levle' (did you mean 'level'?)"),
        (["--set", "01.level=high"], "parameter level must be float, not str 'high'"),
        (["--set", "01.study_name=other"], "the study is the one this run is for, small"),
        (["--only", "01", "--set", "02.level=1"], "this notebook is not among those to run (01_one)"),
        (["--set", "level=1"], "write notebook.parameter=value"),
        (["--set", "09.level=1"], "no notebook is called '09'"),
        (["--only", "01,07"], "no notebook is called '07'"),
    ],
)
def test_unknown_names_and_wrong_types_are_refused_before_anything_runs(toys, arguments, words):
    result = waage("run", "small", *arguments)
    assert result.exit_code == 1 and words in result.stderr
    assert not (toys / "reports" / "small").exists()


def test_all_wrong_settings_are_named_together(toys):
    result = waage("run", "small", "--set", "01.level=x", "--set", "02.nope=1", "--only", "8")
    assert result.exit_code == 1
    assert all(part in result.stderr for part in ("level must be float", "no parameter 'nope'", "'08'"))


@pytest.mark.parametrize(
    ("study", "words"),
    [("smal", "did you mean 'small'?"), ("../small", "is not the name of a study"), ("nothing", "there are small")],
)
def test_unknown_studies_are_answered_in_a_line(toys, study, words):
    result = waage("run", study)
    assert result.exit_code == 1 and words in result.stderr and "Traceback" not in result.output


def test_a_failing_notebook_leaves_the_last_good_report_and_lets_independent_ones_run(toys):
    assert waage("run", "small").exit_code == 0
    reports = toys / "reports" / "small"
    before = (reports / "01_one.html").read_bytes(), (toys / "data" / "small" / "tables" / "rfm.parquet").read_bytes()
    write_notebook(toys / "notebooks", "01_one", "1 + 1", "shares = [1, 0]\nshares[0] / shares[1]", writes=["rfm"])
    result = waage("run", "small")
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.startswith("01_one") and "failed" in line]
    assert "cell 5 (cell-1): ZeroDivisionError: division by zero" in line
    assert status(toys) == {"01_one": "failed", "02_two": "blocked", "03_three": "done"}
    kept = manifest(toys)["notebooks"]["01_one"]
    assert kept["report"] == "01_one.html" and kept["outputs"] and kept["headlines"], "of the last good run"
    assert before == (
        (reports / "01_one.html").read_bytes(),
        (toys / "data" / "small" / "tables" / "rfm.parquet").read_bytes(),
    )
    partial = nbformat.read(reports / "failed" / "01_one.ipynb", as_version=4)
    assert any(out.output_type == "error" for cell in partial.cells if cell.cell_type == "code" for out in cell.outputs)
    assert "ZeroDivisionError" in (reports / "failed" / "01_one.html").read_text()
    write_notebook(
        toys / "notebooks", "01_one", 'study.write("rfm", pd.DataFrame({"person_id": ["b"]}))', writes=["rfm"]
    )
    assert waage("run", "small").exit_code == 0
    assert not (reports / "failed" / "01_one.html").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys\nsys.exit(0)", "cell 4 (cell-0): the kernel ended here without an error (sys.exit?)"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "cell 4 (cell-0): the kernel died"),
        (
            "from waage.errors import WaageError\nraise WaageError('no orders; bring some')",
            "cell 4 (cell-0): no orders; bring some",
        ),
        ("study.write('clv', pd.DataFrame({'person_id': ['a']}))", "does not write a table 'clv'"),
    ],
)
def test_a_notebook_that_ends_early_is_not_done(toys, code, words):
    write_notebook(toys / "notebooks", "01_one", code, writes=["rfm"])
    result = waage("run", "small", "--only", "01,03")
    assert result.exit_code == 1 and words in result.output, result.output
    assert status(toys) == {"01_one": "failed", "03_three": "done"}
    assert not Study.open("small").has("rfm")


def test_a_refusal_is_a_skip_with_its_reason_and_no_failure(toys):
    code = "from waage.errors import Refusal\nraise Refusal('12 customers bought again, 30 are needed')"
    write_notebook(toys / "notebooks", "01_one", code, writes=["rfm"])
    result = waage("run", "small", "--only", "01")
    assert result.exit_code == 0 and "the data cannot carry it: 12 customers bought again" in result.output
    assert status(toys) == {"01_one": "skipped"} and not (toys / "reports" / "small" / "failed").exists()


def test_a_long_temporary_folder_and_the_reports_path_stay_out_of_the_way(toys, monkeypatch, tmp_path):
    import tempfile

    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert waage("run", "small", "--only", "03").exit_code == 0
    assert str(toys) not in (toys / "reports" / "small" / "03_three.ipynb").read_text()


def test_the_customer_file_honours_an_objection_even_when_a_notebook_fails(home, make_study):
    assert make_study() and waage("run", "small", "--only", "01,02").exit_code == 0
    make_study(sources={
        "consents": "SELECT 'shop' AS source, 'C1' AS source_id, 'profiling' AS purpose, NULL AS channel, "
                    "TIMESTAMP '2024-02-01 08:00:00' AS changed_at, 'objected' AS status",
    })  # fmt: skip
    write_notebook(home / "notebooks", "02_rfm_typology", "1 / 0", reads=["customer_orders"], writes=["rfm"])
    assert waage("run", "small", "--only", "01,02").exit_code == 1
    people = pd.read_parquet(home / "data" / "small" / "tables" / "customer_file.parquet")
    assert people.loc[~people["may_profile"], "segment"].isna().all() and (~people["may_profile"]).sum() == 1
    assert people.loc[people["may_profile"], "segment"].notna().all(), "the last good segments of the others"


def test_a_notebook_that_never_finishes_its_study_is_not_done(toys):
    write_notebook(toys / "notebooks", "01_one", "1", writes=["rfm"], end=False)
    result = waage("run", "small", "--only", "01")
    assert result.exit_code == 1 and "no study.finish() at its end" in result.output


def test_a_notebook_whose_tables_are_missing_is_skipped_with_the_reason(toys):
    result = waage("run", "small", "--only", "02")
    assert result.exit_code == 0 and "the study has no rfm" in result.output
    assert manifest(toys)["notebooks"]["02_two"]["reason"] == "the study has no rfm"


def test_only_keeps_the_entries_of_the_other_notebooks_and_marks_what_grew_old(toys):
    run(plan_run("small"))
    run(plan_run("small", ("01",), ("01.level=0.75",)))
    assert status(toys) == {"01_one": "done", "02_two": "done", "03_three": "done"}
    assert "Older than its input (rfm): run 02_two again." in (toys / "reports" / "small" / "index.html").read_text()


def test_two_runs_at_a_time_are_refused(toys):
    import fcntl

    plan = plan_run("small")
    plan.study.state.mkdir(parents=True)
    with (plan.study.state / "run.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(WaageError, match="another run of small is under way"):
            run(plan)


def test_a_reports_folder_that_cannot_be_written_to_stops_the_run_before_it_starts(toys):
    (toys / "reports").mkdir()
    (toys / "reports" / "small").touch()
    result = waage("run", "small")
    assert result.exit_code == 1 and "reports cannot be written to" in result.stderr
    assert not (toys / "data" / "small" / "tables").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only folders")
def test_a_read_only_reports_folder_is_refused(toys):
    (toys / "reports").mkdir(mode=0o555)
    assert "reports cannot be written to" in waage("run", "small").stderr


def test_a_disk_that_fills_up_is_named_and_leaves_the_last_good_run(toys):
    """A limit on the size of files makes the system refuse writes just as a full disk does."""
    assert waage("run", "small").exit_code == 0
    reports = toys / "reports" / "small"
    before = {path.name: path.read_bytes() for path in reports.glob("0*")}
    write_notebook(toys / "notebooks", "01_one", "print('x' * 300_000)", writes=["rfm"])

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [sys.executable, "-m", "waage", "run", "small", "--only", "01"],
        preexec_fn=small_disk, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    assert "cannot write" in done.stdout + done.stderr and "File too large" in done.stdout + done.stderr
    assert before == {path.name: path.read_bytes() for path in reports.glob("0*")}
    assert Study.open("small").has("rfm")


@pytest.mark.slow
@pytest.mark.parametrize("delay", [2.0, 4.0, 6.0])
def test_a_run_killed_at_any_moment_leaves_readable_tables_and_reports(toys, delay):
    assert waage("run", "small").exit_code == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "waage", "run", "small", "--set", "01.level=0.75"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    study = Study.open("small")
    assert study.read("rfm").frequency.execute().tolist() in ([0.5], [0.75])
    assert study.read("clv").count().execute() == 1
    reports = toys / "reports" / "small"
    assert json.loads((reports / "manifest.json").read_text())["notebooks"]["01_one"]["status"] == "done"
    for page in ("index.html", "01_one.html", "02_two.html"):
        assert (reports / page).read_text().rstrip().endswith("</html>")
    assert waage("run", "small", "--set", "01.level=0.75").exit_code == 0
    assert Study.open("small").read("rfm").frequency.execute().tolist() == [0.75]


def test_the_runners_last_step_writes_the_customer_file(home, make_study):
    make_study(sources={
        "consents": "SELECT 'shop' AS source, 'C1' AS source_id, 'profiling' AS purpose, NULL AS channel, "
                    "TIMESTAMP '2024-02-01 08:00:00' AS changed_at, 'objected' AS status",
    })  # fmt: skip
    result = waage("run", "small", "--only", "01,02")
    assert result.exit_code == 0, result.output
    people = pd.read_parquet(home / "data" / "small" / "tables" / "customer_file.parquet")
    assert len(people) == 80 and (~people["may_profile"]).sum() == 1
    objector = people[~people["may_profile"]].iloc[0]
    assert pd.isna(objector["segment"]) and pd.isna(objector["monetary"])
    assert people.loc[people["may_profile"], "segment"].notna().all()
    assert len(Study.open("small").read("rfm").execute()) == 79
    assert "Fewer than 2 customers object to profiling" in (home / "reports" / "small" / "index.html").read_text()


def test_bad_sources_stop_the_run_and_say_why(home, make_study, orders_sql):
    make_study(sources={"orders": f"SELECT * REPLACE (-revenue AS revenue) FROM ({orders_sql})"})
    result = waage("run", "small")
    assert result.exit_code == 1
    assert "400 of 400 rows (100.0%) break rules" in result.output and "revenue is negative" in result.output
    assert "04_clv" in result.output and "blocked" in result.output
    assert not (home / "reports" / "small" / "01_data_unification.html").exists()


def test_notebooks_are_read_without_running_them(toys):
    notebook = Notebook.load(toys / "notebooks" / "02_two.ipynb")
    assert (notebook.title, notebook.reads, notebook.writes) == ("02_two", ("rfm",), ("clv",))
    assert notebook.parameters["level"].help == "a share"
