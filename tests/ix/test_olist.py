"""Olist: real reviews of real orders, where the notebook must reach an honest verdict and no pretty number."""

import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from waage.ix import IxWeights
from waage.ix.score import codebook
from waage.run import plan_run, run
from waage.study import Study

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "olist_orders_dataset": "olist_orders_dataset_partial",
    "olist_order_reviews_dataset": "olist_order_reviews_dataset_partial",
    "olist_order_items_dataset": "olist_order_items_dataset",
    "olist_customers_dataset": "olist_customers_dataset",
    "olist_products_dataset": "olist_products_dataset",
    "product_category_name_translation": "product_category_name_translation",
}


@pytest.fixture(scope="module")
def olist(tmp_path_factory, shared_data):
    """The study on the copy at hand: all orders that were not delivered, a third of the others."""
    home = tmp_path_factory.mktemp("olist")
    shutil.copytree(ROOT / "notebooks", home / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (home / "pyproject.toml").touch()
    folder = home / "data" / "olist"
    shutil.copytree(ROOT / "data" / "olist" / "sources", folder / "sources")
    shutil.copy(ROOT / "data" / "olist" / "study.yaml", folder)
    (folder / "raw").mkdir()
    orders = f"'{shared_data}/olist/{FILES['olist_orders_dataset']}.parquet'"
    for name, file in FILES.items():
        # What belongs to orders that the copy lacks would be quarantined.
        own = f"SEMI JOIN {orders} USING (order_id)" if name.startswith("olist_order_") else ""
        duckdb.sql(f"COPY (FROM '{shared_data}/olist/{file}.parquet' {own}) TO '{folder}/raw/{name}.csv' (HEADER)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAAGE_HOME", str(home))
        results = run(plan_run("olist", only=["01", "05"]))
        yield Study.open("olist"), {result.name: result for result in results}


@pytest.mark.slow
def test_nothing_is_lost_on_the_way(olist):
    study, results = olist
    assert results["01_data_unification"].status == "done"
    assert study.read("orders").count().execute() == 38_073 and not study.has("quarantine")
    lines = study.read("order_lines")
    assert lines.category.nunique().execute() == 11
    assert float(lines.revenue.sum().execute()) == pytest.approx(float(study.read("orders").revenue.sum().execute()))
    persons = study.read("customer_orders").person_id.nunique().execute()
    assert 36_000 < persons <= 38_073, "almost nobody buys twice"


@pytest.mark.slow
def test_late_orders_earn_bad_stars(olist):
    study, _ = olist
    stars = study.read("responses").filter(lambda t: t.item == "score").execute()
    raw = duckdb.sql(f"FROM read_csv('{study.folder}/raw/olist_orders_dataset.csv', all_varchar = true)").df()
    late = pd.to_datetime(raw.order_delivered_customer_date).dt.normalize() > pd.to_datetime(
        raw.order_estimated_delivery_date
    )
    late = late[raw.order_delivered_customer_date.notna()].set_axis(
        raw.order_id[raw.order_delivered_customer_date.notna()]
    )
    mean = stars.value.groupby(stars.response_id.str[-32:].map(late)).mean()
    assert mean[True] == pytest.approx(2.3, abs=0.35) and mean[False] == pytest.approx(4.25, abs=0.1)
    weeks = study.read("performance").execute()
    assert weeks.late_share.dropna().between(0, 1).all() and weeks.groupby("unit").size().min() > 70


@pytest.mark.slow
def test_the_verdict_is_honest(olist):
    study, results = olist
    assert results["05_ix_linkage"].status == "done", "a refused link is a report"
    assert not study.has("ix_effects") and not study.has("ix_value")
    report = (study.reports / "05_ix_linkage.html").read_text(encoding="utf-8")
    assert "What a point of IX is worth cannot be said from these data" in report
    assert "most of it is survey noise" in report and "Traceback" not in report
    assert "cannot be told" in report, "nobody was asked for the goal"
    scores = study.read("ix_scores").execute()
    assert scores.goal.isna().all() and scores.ix.dropna().between(0, 100).all()


def test_a_construct_without_weight_needs_no_item():
    items = pd.DataFrame(
        [("score", "scale", "perception", 1, 5, "max", None)],
        columns=["item", "kind", "construct", "scale_min", "scale_max", "best", "missing_codes"],
    )
    assert list(codebook(items, IxWeights(perception=1.0, goal=0.0))["item"]) == ["score"]
    with pytest.raises(Exception, match="no item measures goal; give the other construct all the weight"):
        codebook(items, IxWeights())
