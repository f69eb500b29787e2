"""Faces of the buyers, logins, overlap of sources and channel mix, on tables small enough to count by hand."""

from datetime import date, datetime, timedelta

import ibis
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from waage.errors import WaageError
from waage.unify.channel_plots import plot_faces, plot_funnel, plot_login, plot_mix, plot_overlap, plot_unknown
from waage.unify.channels import (
    FACES,
    channel_mix,
    face_shares,
    faces,
    login_share,
    record_steps,
    source_overlap,
    source_sizes,
)


@pytest.fixture(autouse=True)
def closed():
    matplotlib.use("Agg")
    yield
    plt.close("all")


def texts(ax) -> str:
    legend = ax.get_legend()
    found = [*ax.texts, *ax.get_yticklabels(), *ax.get_xticklabels(), ax.xaxis.label, ax.yaxis.label]
    return " | ".join(text.get_text() for text in [*found, *(legend.get_texts() if legend else [])])


def orders_of(rows: list[tuple]) -> ibis.Table:
    """Orders from (source, source_id, person_id, channel, day, revenue)."""
    columns = ["source", "source_id", "person_id", "channel", "day", "revenue"]
    frame = pd.DataFrame(rows, columns=columns).astype({"source_id": "string", "person_id": "string"})
    table = ibis.memtable(frame.assign(order_id=[str(i) for i in range(len(frame))], counts=True))
    money = table.revenue.cast("decimal(18, 4)")
    return table.mutate(day=table.day.cast("date"), revenue=money, net_revenue=money)


MAP = ibis.memtable(
    pd.DataFrame(
        [("web", "w1", "A"), ("guest", "g1", "A"), ("guest", "g2", "B"), ("news", "n2", "B"), ("card", "c1", "C")],
        columns=["source", "source_id", "person_id"],
    )
)
ORDERS = [
    ("web", "w1", "A", "web", date(2025, 1, 3), 40.0),
    ("guest", "g1", "A", "web", date(2025, 1, 31), 30.0),
    ("guest", "g2", "B", "web", date(2025, 2, 1), 20.0),
    ("card", "c1", "C", "store", date(2025, 2, 1), 5.0),
    ("pos", None, None, "store", date(2025, 2, 28), 5.0),
]


def test_a_guest_whose_person_has_an_account_is_recognised():
    table = faces(orders_of(ORDERS), MAP, by=(), min_cell=1)
    assert table.face.tolist() == list(FACES)
    assert table.demand.tolist() == [45, 30, 20, 5] and table.orders.tolist() == [2, 1, 1, 1]
    assert table.persons.tolist()[:3] == [2, 1, 1] and np.isnan(table.persons[3])
    shares = face_shares(table).iloc[0]
    assert (shares.before, shares.after, shares.guest, shares.anonymous) == pytest.approx((0.45, 0.75, 0.2, 0.05))
    assert face_shares(table, "orders").iloc[0].after == pytest.approx(3 / 5)


def test_who_counts_as_known_is_a_choice():
    # With the newsletter as an account, B is recognised by it.
    table = faces(orders_of(ORDERS), MAP, guest_sources=("guest",), by=(), min_cell=1)
    assert face_shares(table).iloc[0].after == pytest.approx(0.95)
    unlinked = faces(orders_of(ORDERS), by=(), min_cell=1)
    assert face_shares(unlinked).iloc[0].after == face_shares(unlinked).iloc[0].before == pytest.approx(0.45)


def test_channels_and_months_add_up_to_the_whole():
    table = faces(orders_of(ORDERS), MAP, by=("month", "channel"), min_cell=1)
    assert len(table) == 3 * len(FACES)  # no store in January
    assert table.demand.sum() == 100 and table.orders.sum() == 5
    assert table.groupby(["month", "channel"]).demand_share.sum().tolist() == pytest.approx([1, 1, 1])
    assert face_shares(table).month.tolist() == [pd.Timestamp(2025, 1, 1), *[pd.Timestamp(2025, 2, 1)] * 2]


def test_an_unknown_grouping_is_named():
    with pytest.raises(WaageError, match=r"'chanel'.*did you mean 'channel'"):
        faces(orders_of(ORDERS), MAP, by=("chanel",))
    with pytest.raises(WaageError, match="login_share"):
        login_share(ibis.memtable(EVENTS), "Europe/Berlin", by=("week",))


def test_few_persons_are_hidden_and_cannot_be_worked_out():
    many = [("web", f"w{i}", f"W{i}", "web", date(2025, 1, 1), 1.0) for i in range(30)]
    few = [("guest", f"g{i}", f"G{i}", "web", date(2025, 1, 1), 1.0) for i in range(3)]
    nobody = [("pos", None, None, "web", date(2025, 1, 1), 1.0) for _ in range(12)]
    table = faces(orders_of(many + few + nobody), by=("channel",)).set_index("face")
    assert table.loc["guest", ["orders", "demand", "persons", "demand_share"]].isna().all()
    assert np.isnan(table.orders["anonymous"]) and table.orders["account"] == 30 and table.orders["recognised"] == 0
    assert "hidden" in texts(plot_faces(table.reset_index()))


EVENTS = pd.DataFrame(
    [
        # a session that logs in at the cart; one that is logged in from the start; one that never is
        ("1", "web", None, datetime(2025, 1, 31, 23, 30), "visit", "s1", "d1", "mobile"),
        ("2", "web", "w1", datetime(2025, 1, 31, 23, 40), "cart", "s1", "d1", "mobile"),
        ("3", "app", "a1", datetime(2025, 2, 3), "visit", "s2", "d2", "app"),
        ("4", "web", None, datetime(2025, 2, 3), "visit", "s3", "d3", "mobile"),
        # a visit without a session, a newsletter opened, a session whose visit is lost
        ("5", "web", "w2", datetime(2025, 2, 4), "visit", None, None, "mobile"),
        ("6", "news", "n1", datetime(2025, 2, 4), "open", None, None, None),
        ("7", "web", "w3", datetime(2025, 2, 4), "view", "s4", "d4", "mobile"),
    ],
    columns=["event_id", "source", "source_id", "occurred_at", "event", "session_id", "device_id", "device"],
).assign(channel=lambda frame: frame.source)


def test_a_session_is_one_visit_and_its_month_is_local():
    table = login_share(ibis.memtable(EVENTS), "Europe/Berlin", min_cell=1).set_index(["month", "device"])
    # 23:30 UTC on 31 January is February in Berlin.
    assert set(table.index.get_level_values("month")) == {pd.Timestamp(2025, 2, 1)}
    mobile = table.loc[(pd.Timestamp(2025, 2, 1), "mobile")]
    assert (mobile.visits, mobile.visitors) == (3, 3)
    assert (mobile.share_at_start, mobile.share) == pytest.approx((1 / 3, 2 / 3))
    whole = login_share(ibis.memtable(EVENTS), "Europe/Berlin", by=(), min_cell=1)
    assert len(whole) == 1 and whole.visits[0] == 4 and whole.share[0] == 0.75
    assert login_share(ibis.memtable(EVENTS), "Europe/Berlin", by=("channel",)).share.isna().all()


def mapping(**combinations: int) -> ibis.Table:
    """Persons by combination, e.g. card_web=3."""
    rows = []
    for names, persons in combinations.items():
        for i in range(persons):
            rows += [(name, f"{names}{i}", f"{names}{i}") for name in names.split("_")]
    return ibis.memtable(pd.DataFrame(rows, columns=["source", "source_id", "person_id"]))


def test_combinations_are_sorted_and_small_ones_put_together():
    found = source_overlap(mapping(web=20, card_web=30, card=6, app_card_web=5))
    assert found.sources.tolist() == ["card + web", "web", "all_other"]
    assert found.persons.tolist() == [30, 20, 11] and found.share.sum() == pytest.approx(1)
    assert source_overlap(mapping(web=20, card_web=30, card=16), most=1).persons.tolist() == [30, 36]
    sizes = source_sizes(mapping(web=20, card_web=30, app_card_web=5)).set_index("source")
    assert sizes.persons["web"] == 55 and np.isnan(sizes.persons["app"])


def test_two_ids_of_one_source_are_one_person():
    frame = pd.DataFrame({"source": ["web", "web", "card"], "source_id": ["1", "2", "3"], "person_id": "A"})
    table = ibis.memtable(frame)
    assert source_overlap(table, min_cell=1).sources.tolist() == ["card + web"]
    assert source_sizes(table, min_cell=1).set_index("source").ids["web"] == 2
    steps = record_steps(ibis.memtable(pd.concat([frame, frame[:1]])), table)
    assert steps.n.tolist() == [4, 3, 1]


def test_a_small_rest_takes_the_smallest_combination_with_it():
    found = source_overlap(mapping(web=30, card_web=20, card=3))
    assert found.persons.isna().tolist() == [False, True, True]
    plot_overlap(found, source_sizes(mapping(web=30, card_web=20, card=3)))


def mixed(rng) -> list[tuple]:
    rows = []
    for i in range(40):
        for channel in ["web"] * (i % 4) + ["store"] * (i % 3):
            rows.append(("web", f"w{i}", f"P{i}", channel, date(2025, 1, 1), float(rng.integers(10, 90))))
    return rows


def test_persons_are_told_apart_by_where_they_buy():
    rows = mixed(np.random.default_rng(3))
    outside = [("web", "w1", "P1", "store", day, 1000.0) for day in (date(2024, 6, 30), date(2025, 7, 1))]
    table = channel_mix(orders_of([*rows, *outside]), date(2025, 6, 30), min_cell=1).set_index("mix")
    people = (
        pd.DataFrame(rows).groupby(2).agg(store=(3, lambda c: (c == "store").sum()), n=(3, "size"), money=(5, "sum"))
    )
    people["mix"] = np.select(
        [people.store == 0, people.store == people.n], ["online_only", "store_only"], "omnichannel"
    )
    assert table.persons.astype(int).to_dict() == people.mix.value_counts().to_dict()
    money = people.groupby("mix").money
    half = 1.959964 * money.sem()
    assert table.revenue_per_head.to_dict() == pytest.approx(money.mean().to_dict())
    assert (table.revenue_per_head_high - table.revenue_per_head).to_dict() == pytest.approx(half.to_dict(), rel=1e-6)
    assert table.basket["omnichannel"] == pytest.approx(money.sum()["omnichannel"] / table.orders["omnichannel"])
    assert table.persons_share.sum() == pytest.approx(1) and table.revenue_share.sum() == pytest.approx(1)
    twice = channel_mix(orders_of(rows), date(2025, 6, 30), min_orders=2, min_cell=1).set_index("mix")
    assert twice.persons["omnichannel"] == table.persons["omnichannel"]
    assert twice.persons.sum() == (people.n >= 2).sum()


def test_without_stores_everybody_is_online():
    rows = [("web", f"w{i}", f"P{i}", "web", date(2025, 1, 1), 10.0) for i in range(12)]
    table = channel_mix(orders_of(rows), date(2025, 6, 30)).set_index("mix")
    assert table.persons.tolist() == [12, 0, 0] and table.revenue_share["online_only"] == 1
    assert table.revenue_per_head_low["online_only"] == 10
    plot_mix(table.reset_index())


@pytest.mark.parametrize("language", ["en", "de"])
def test_plots_return_their_axes_in_the_readers_language(language):
    def word(en: str, de: str) -> str:
        return de if language == "de" else en

    orders = orders_of(ORDERS)
    by_channel = faces(orders, MAP, min_cell=1)
    ax = plt.subplots()[1]
    assert plot_faces(by_channel, ax, language=language) is ax
    assert word("Recognised", "erkannt") in texts(ax) and word("Store\n2 orders", "Filiale\n2 Best") in texts(ax)
    monthly = plot_unknown(faces(orders, MAP, by=("month",), min_cell=1), language=language)
    assert word("before unification", "vor der Zusammenführung") in texts(monthly)
    left, right = plot_funnel(record_steps(MAP, MAP), by_channel, language=language)
    assert word("Records read", "Gelesene") in texts(left) and word("Share of demand", "Nachfrage") in str(
        right.get_legend().get_title().get_text()
    )
    events = pd.concat([EVENTS, EVENTS.assign(occurred_at=EVENTS.occurred_at + timedelta(days=59))])
    ids = [f"{i}" for i in range(len(events))]
    twice = ibis.memtable(events.assign(session_id=None, event_id=ids).astype({"session_id": "string"}))
    shown = texts(plot_login(login_share(twice, "Europe/Berlin", min_cell=1), language=language))
    assert word("Share of visits", "Besuche") in shown and "Feb\n2025" in shown and word("Apr", "Apr") in shown
    overlap = mapping(web=20, card_web=30, card=6, app_card_web=5)
    assert word("all\nother", "alle\nanderen") in texts(
        plot_overlap(source_overlap(overlap), source_sizes(overlap), language=language)
    )
    mix = channel_mix(orders_of(mixed(np.random.default_rng(3))), date(2025, 6, 30), min_cell=1)
    assert word("of persons", "der Personen") in texts(plot_mix(mix, language=language))


def test_hidden_months_leave_a_gap_and_no_error():
    table = faces(orders_of(ORDERS), MAP, by=("month",), min_cell=10)
    assert table.orders.dropna().eq(0).all()
    plot_unknown(table)
    mix = channel_mix(orders_of(mixed(np.random.default_rng(3))), date(2025, 6, 30), min_cell=100)
    assert texts(plot_mix(mix)).count("hidden") == 3
