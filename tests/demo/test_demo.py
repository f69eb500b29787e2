"""The simulated study as users meet it: generated, run through every notebook, held against its truth."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from waage.cli import app
from waage.demo import Settings, generate
from waage.run import plan_run, run
from waage.study import Study

ROOT = Path(__file__).resolve().parents[2]
SMALL = Settings(persons=1_500, weeks=110, units=6)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_equal_seeds_give_equal_bytes_on_any_number_of_threads(tmp_path):
    made = []
    for threads in ("1", "2"):
        out = tmp_path / threads
        options = ["--persons", "300", "--weeks", "70", "--units", "3", "--seed", "5", "--out", str(out)]
        limits = {name: threads for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_CPU_COUNT")}
        subprocess.run(
            [sys.executable, "-m", "waage", "demo", *options],
            env={**os.environ, **limits},
            check=True,
            capture_output=True,
        )
        made.append(digests(out))
    assert made[0] == made[1] and len(made[0]) > 30
    generate(Settings(persons=300, weeks=70, units=3, seed=6), tmp_path / "other")
    other = digests(tmp_path / "other")
    assert other.keys() == made[0].keys()
    assert other["raw/orders_online.csv"] != made[0]["raw/orders_online.csv"]


def test_every_switch_is_recorded_in_the_truth(tmp_path):
    options = ["--persons", "200", "--weeks", "60", "--units", "3", "--junk", "2", "--diversion", "0.3", "--ix-null"]
    result = CliRunner().invoke(app, ["demo", *options, "--reverse-causality", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert pd.read_parquet(tmp_path / "truth" / "settings.parquet").to_dict("records")[0] == {
        "persons": 200, "weeks": 60, "units": 3, "seed": 7, "junk": 2.0,
        "reverse_causality": True, "diversion": 0.3, "ix_null": True,
    }  # fmt: skip


def test_real_extracts_are_never_overwritten(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "orders.csv").write_text("real")
    result = CliRunner().invoke(app, ["demo", "--persons", "100", "--out", str(tmp_path)])
    assert result.exit_code == 1 and "was not made by `waage demo`" in result.output
    assert (tmp_path / "raw" / "orders.csv").read_text() == "real"


def test_a_run_before_the_extracts_are_made_says_how_to_make_them(home):
    shutil.copytree(ROOT / "data" / "demo" / "sources", home / "data" / "demo" / "sources")
    shutil.copy(ROOT / "data" / "demo" / "study.yaml", home / "data" / "demo")
    result = CliRunner().invoke(app, ["run", "demo"])
    assert result.exit_code == 1 and "run `waage demo` to make it" in result.output


@pytest.mark.slow
def test_the_demo_runs_through_every_notebook_and_its_faults_are_found_and_no_others(home):
    folder = home / "data" / "demo"
    shutil.copytree(ROOT / "data" / "demo" / "sources", folder / "sources")
    shutil.copy(ROOT / "data" / "demo" / "study.yaml", folder)
    generate(SMALL, folder)
    results = run(plan_run("demo"))
    assert [(result.name, result.status, result.reason) for result in results] == [
        (name, "done", "")
        for name in (
            "01_data_unification",
            "02_rfm_typology",
            "03_personas",
            "04_clv",
            "05_ix_linkage",
            "06_customer_base",
        )
    ]
    study = Study.open("demo")
    key = ["table", "key", "reason"]
    found = study.read("quarantine").execute()[key].sort_values(key, ignore_index=True)
    built_in = study.truth("quarantine").execute()[key].sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(found, built_in)
    assert len(built_in) > 20
    for result in results:
        page = (study.reports / f"{result.name}.html").read_text(encoding="utf-8")
        assert "simulated" in page and (
            "Against the known truth" in page or result.name in ("03_personas", "06_customer_base")
        )
    assert "simulated" in (study.reports / "index.html").read_text(encoding="utf-8")
    mapped = study.read("identity_map").execute()
    known = study.truth("identities").execute()
    both = mapped.merge(known, on=["source", "source_id"], suffixes=("", "_true"))
    assert len(both) == len(mapped), "every id in the file has a person behind it"
    assert 0.9 < both["person_id"].nunique() / both["person_id_true"].nunique() < 1.35

    # Nothing personal in the report or in what the run prints: no address, number or full name of anybody.
    known = study.read("identities").execute()
    names = known["first_name"] + " " + known["last_name"]
    secrets = pd.concat([known["email"], known["phone"], known["street"], names, known["loyalty_id"]]).dropna().unique()
    reports = [f"{result.name}.{kind}" for result in results for kind in ("html", "ipynb")]
    for name in (*reports, "index.html", "manifest.json", "segments.yaml"):
        text = (study.reports / name).read_text(encoding="utf-8")
        text = re.sub(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]+|\"image/png\": \"[^\"]+\"", "", text)
        # "000000" and the like identify nobody, and stand in any long number.
        assert not [secret for secret in secrets if len(secret) > 5 and len(set(secret)) > 2 and secret in text][:3]

    # The same again: no id changes, no table does.
    tables = ("edges", "identity_map", "identity_changes", "persons", "households", "customer_orders")
    first = {name: (study.tables / f"{name}.parquet").read_bytes() for name in tables}
    assert run(plan_run("demo", only=("01",)))[0].status == "done"
    assert [name for name in tables if (study.tables / f"{name}.parquet").read_bytes() != first[name]] == []


def test_a_table_is_the_same_whatever_else_is_made(tmp_path):
    from waage.demo.experience import write_experience
    from waage.demo.files import Files
    from waage.demo.identities import write_people
    from waage.demo.people import people

    settings = Settings(persons=300, weeks=70, units=3)
    generate(settings, tmp_path / "all")
    with Files(tmp_path / "some") as out:
        write_experience(settings, out)
        write_people(settings, 0, people(settings, 0), out)
    whole, part = digests(tmp_path / "all"), digests(tmp_path / "some")
    shared = {"truth/identities.parquet", "truth/quarantine.parquet"}  # several tables append to these
    assert len(part) > 12
    assert {name: whole[name] for name in part if name not in shared} == {
        name: digest for name, digest in part.items() if name not in shared
    }
