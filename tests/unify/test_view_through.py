"""View-through conversion: windows at their edges, the interval against an independent one, and the known truth."""

from datetime import datetime, timedelta
from pathlib import Path

import ibis
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from waage.contract import Limits, check
from waage.demo import Settings, generate
from waage.demo.world import LAST_DAY
from waage.errors import WaageError
from waage.history import customer_orders
from waage.unify.view_through import (
    plot_view_through,
    view_through,
    view_through_curve,
)

SOURCES = Path(__file__).resolve().parents[2] / "data" / "demo" / "sources"
BOUGHT = datetime(2025, 5, 1, 12)
COVERED = (datetime(2025, 1, 1), datetime(2025, 6, 1))


@pytest.fixture(autouse=True)
def closed():
    matplotlib.use("Agg")
    yield
    plt.close("all")


def shop(duck, purchases: list[dict], views: list[tuple], **settings) -> pd.DataFrame:
    """Purchases of one line each (category k, product p by default) and views (person, time, product, category)."""
    base = {"source": "card", "person_id": "A", "ordered_at": BOUGHT, "channel": "store", "status": "shipped"}
    base |= {"line": "1", "product_id": "p", "category": "k", "revenue": 10.0}
    frame = pd.DataFrame([base | {"order_id": str(i)} | row for i, row in enumerate(purchases)])
    seen = pd.DataFrame(views, columns=["person_id", "occurred_at", "product_id", "category"]).assign(event="view")
    lines = ["source", "order_id", "line", "product_id", "category", "revenue"]
    tables = (
        frame.drop(columns=["line", "product_id", "category", "revenue"]).astype({"person_id": "string"}),
        frame[lines].astype({"product_id": "string", "category": "string"}),
        seen.astype({"person_id": "string", "product_id": "string", "category": "string"}),
    )
    defaults = {"covered": COVERED, "min_cell": 1}
    return view_through(*(ibis.memtable(table) for table in tables), **(defaults | settings))


def row(table: pd.DataFrame, level="product", measure="lines", base="known") -> pd.Series:
    found = table[(table.level == level) & (table.measure == measure) & (table.base == base)]
    assert len(found) == 1
    return found.iloc[0]


@pytest.mark.parametrize(
    ("before", "real", "placebo"),
    [
        (timedelta(0), 0, 0),
        (timedelta(microseconds=1), 1, 0),
        (timedelta(days=14), 1, 0),
        (timedelta(days=14, microseconds=1), 0, 0),
        (timedelta(days=-1), 0, 0),
        (timedelta(days=60), 0, 0),
        (timedelta(days=60, microseconds=1), 0, 1),
        (timedelta(days=74), 0, 1),
        (timedelta(days=74, microseconds=1), 0, 0),
    ],
)
def test_windows_end_where_they_are_said_to_end(duck, before, real, placebo):
    found = row(shop(duck, [{}], [("A", BOUGHT - before, "p", "k")]))
    assert (found.share, found.placebo_share) == (real, placebo)


def test_the_same_thing_by_the_same_person(duck):
    near = BOUGHT - timedelta(days=1)
    other_person = shop(duck, [{}], [("B", near, "p", "k")])
    assert row(other_person).share == 0 and row(other_person, "category").share == 0
    other_product = shop(duck, [{}], [("A", near, "q", "k")])
    assert row(other_product).share == 0 and row(other_product, "category").share == 1
    # The shop's category may be called otherwise at the till: the same product is the same category.
    other_category = shop(duck, [{}], [("A", near, "p", "m")])
    assert row(other_category).share == 1 and row(other_category, "category").share == 1
    nothing = shop(duck, [{"product_id": None, "category": None}], [("A", near, None, None), ("A", near, "p", "k")])
    assert row(nothing).share == 0 and row(nothing, "category").share == 0 and row(nothing).total == 1


def test_what_is_counted_and_what_is_left_out(duck):
    views = [("A", BOUGHT - timedelta(days=1), "p", "k"), (None, BOUGHT - timedelta(days=1), "p", "k")]
    purchases = [
        {"revenue": 30.0},
        {"person_id": "B"},
        {"person_id": None},
        {"channel": "web"},
        {"status": "cancelled"},
        {"ordered_at": COVERED[0] + timedelta(days=74)},
        {"ordered_at": COVERED[0] + timedelta(days=74, seconds=-1)},
        {"ordered_at": COVERED[1] + timedelta(seconds=1)},
    ]
    table = shop(duck, purchases, views)
    known, viewers = row(table), row(table, base="viewers")
    assert (known.total, known.persons, known.uncovered, known.anonymous) == (3, 2, 2, 1)
    assert (viewers.total, viewers.persons) == (2, 1)
    assert known.share == pytest.approx(1 / 3) and viewers.share == pytest.approx(1 / 2)
    value = row(table, measure="value")
    assert value.total == 50 and value.share == pytest.approx(30 / 50)
    assert np.isnan(known.low)  # one person with a hit carries no interval


def test_events_say_themselves_what_they_cover(duck):
    views = [("A", BOUGHT - timedelta(days=80), "q", "m"), ("A", BOUGHT + timedelta(days=1), "q", "m")]
    table = shop(duck, [{}, {"ordered_at": BOUGHT - timedelta(days=7)}], views, covered=None)
    assert row(table).total == 1 and row(table).uncovered == 1


def test_small_groups_are_hidden(duck):
    table = shop(duck, [{}], [("A", BOUGHT - timedelta(days=1), "p", "k")], min_cell=10)
    assert table[["persons", "share", "placebo_share", "lift", "total"]].isna().all(axis=None)
    for language in ("en", "de"):
        plot_view_through(table, language=language)


def test_few_viewers_are_hidden_and_the_whole_is_not(duck):
    near = BOUGHT - timedelta(days=1)
    purchases = [{"person_id": f"P{i}"} for i in range(20)]
    table = shop(duck, purchases, [("P1", near, "p", "k"), ("P2", near, "q", "k")], min_cell=10)
    assert table[table.base == "viewers"].share.isna().all()
    assert table[table.base == "known"].share.notna().all()


def test_what_cannot_be_measured_is_refused(duck):
    with pytest.raises(WaageError, match="overlap"):
        shop(duck, [{}], [("A", BOUGHT, "p", "k")], days=14, placebo_shift_days=13)
    with pytest.raises(WaageError, match="at least 1 day"):
        shop(duck, [{}], [("A", BOUGHT, "p", "k")], days=0)
    assert shop(duck, [{}], [(None, BOUGHT, "p", "k")]).empty, "no view of a known person: nothing to say"


def test_without_a_person_on_both_sides_the_share_is_zero_and_has_no_interval(duck):
    table = shop(duck, [{}], [("B", BOUGHT - timedelta(days=1), "p", "k")])
    assert len(table) == 8
    assert row(table).share == 0 and np.isnan(row(table).low)
    assert row(table, base="viewers").total == 0 and np.isnan(row(table, base="viewers").share)


def test_the_interval_is_that_of_a_regression_clustered_by_person(duck):
    rng = np.random.default_rng(1)
    people = [f"P{i}" for i in range(60)]
    eager = dict(zip(people, rng.random(60), strict=True))
    purchases, views, hits = [], [], []
    for i in range(400):
        person = people[int(60 * rng.random() ** 2)]
        real, placebo = int(rng.random() < eager[person]), int(rng.random() < eager[person] / 3)
        purchases.append({"person_id": person, "product_id": f"p{i}", "category": f"k{i}", "revenue": rng.random()})
        views += [(person, BOUGHT - timedelta(days=3), f"p{i}", None)] * real
        views += [(person, BOUGHT - timedelta(days=63), f"p{i}", None)] * placebo
        hits.append((person, real - placebo))
    hits = pd.DataFrame(hits, columns=["person", "d"])
    # With only a constant the small-sample factor of the sandwich is m / (m - 1), as in the ratio estimator.
    groups = {"groups": pd.factorize(hits.person)[0]}
    fit = sm.OLS(hits.d.astype(float), np.ones(400)).fit(cov_type="cluster", cov_kwds=groups)
    found = row(shop(duck, purchases, views))
    assert found.lift == pytest.approx(fit.params.iloc[0], abs=1e-12)
    assert [found.low, found.high] == pytest.approx(fit.conf_int().iloc[0].tolist(), abs=1e-9)


@pytest.fixture(scope="module")
def retailer(duck, tmp_path_factory) -> dict:
    """A small simulated retailer whose persons are the true ones."""
    folder = tmp_path_factory.mktemp("retailer")
    generate(Settings(persons=8_000, weeks=60), folder)
    tables, checked = {}, {}
    for name in ("orders", "order_lines", "events"):
        sql = (SOURCES / f"{name}.sql").read_text(encoding="utf-8").replace("${raw}", str(folder / "raw"))
        checked[name] = check(duck.sql(sql), name, Limits("Europe/Berlin", LAST_DAY), checked)
        tables[name] = checked[name].accepted
    truth = duck.read_parquet(folder / "truth" / "identities.parquet")
    orders = customer_orders(tables["orders"], truth, "Europe/Berlin").cache()
    events = tables["events"].left_join(truth, ["source", "source_id"]).drop("source_right", "source_id_right").cache()
    led = pd.read_parquet(folder / "truth" / "view_through.parquet")
    return {"orders": orders, "lines": tables["order_lines"].cache(), "events": events, "led": led}


def test_with_the_true_persons_the_lift_is_the_true_share(retailer):
    # waage.demo.events lets 35% of the store purchases of people who go online be prepared by a session 1 to 7
    # days earlier, whose last view is the product of the order's first line (truth/view_through). Only sessions
    # that are logged in can be seen with a person, so the truth for comparison are those. All other views are
    # drawn from the same assortments and hit by chance: the placebo. Tolerance: the truth lies in the interval,
    # and lift and truth differ by less than 0.3 points (8,000 persons; the
    # standard error is about 0.25 points; six other seeds differed by at most 0.1).
    orders, lines, events = retailer["orders"], retailer["lines"], retailer["events"]
    found = view_through(orders, lines, events)
    product = row(found)
    store, seen = orders.filter(orders.channel == "store").execute(), events.execute()
    views = seen[seen.event == "view"]
    first = views.occurred_at.min() + pd.Timedelta(days=74)
    store = store[store.person_id.notna() & store.ordered_at.between(first, views.occurred_at.max())]
    bought = lines.execute().merge(store[["source", "order_id"]], on=["source", "order_id"])
    assert product.total == len(bought)
    visible = seen[seen.person_id.notna()][["event_id", "product_id"]].merge(retailer["led"], on="event_id")
    true = bought.merge(visible, on=["source", "order_id", "product_id"])
    share = len(true) / len(bought)
    value = true.revenue.astype(float).sum() / bought.revenue.astype(float).sum()
    assert share > 0.01
    assert abs(product.lift - share) < 0.003 and product.low < share < product.high
    of_value = row(found, measure="value")
    assert abs(of_value.lift - value) < 0.01 and of_value.low < value < of_value.high
    assert product.placebo_share < 0.2 * product.share
    assert row(found, "category").lift > product.lift
    assert row(found, base="viewers").share > 1.5 * product.share


def test_with_the_wrong_persons_there_is_no_lift(retailer):
    events = retailer["events"]
    people = events.filter(events.person_id.notnull()).select("person_id").distinct().order_by("person_id").execute()
    swapped = people.assign(stranger=np.roll(people.person_id, 1))
    events = events.inner_join(ibis.memtable(swapped), "person_id").drop("person_id").rename(person_id="stranger")
    found = row(view_through(retailer["orders"], retailer["lines"], events, covered=None), "category")
    assert found.low < 0 < found.high and found.share > 0


def test_longer_windows_hold_the_shorter_ones(retailer):
    curve = view_through_curve(retailer["orders"], retailer["lines"], retailer["events"])
    for level in ("product", "category"):
        line = curve[(curve.level == level) & (curve.measure == "lines") & (curve.base == "known")]
        assert line.days.tolist() == [1, 3, 7, 14, 30]
        assert line.total.nunique() == 1 and line.share.is_monotonic_increasing
    # Purchases are prepared at most seven days ahead, give or take the hour: nothing true comes after that.
    product = curve[(curve.level == "product") & (curve.measure == "lines") & (curve.base == "known")]
    lift = product.set_index("days").lift
    assert lift[3] < 0.7 * lift[7] and lift[30] < 1.25 * lift[7]


@pytest.mark.parametrize(("language", "words"), [("en", "points above chance"), ("de", "Punkte über Zufall")])
def test_plots_speak_the_readers_language(retailer, language, words):
    arguments = retailer["orders"], retailer["lines"], retailer["events"]
    ax = plt.subplots()[1]
    assert plot_view_through(view_through(*arguments), ax, language=language) is ax
    assert sum(words in text.get_text() for text in ax.texts) == 2
