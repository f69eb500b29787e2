"""Portrait, permissions and channels: levels, completeness, what is hidden."""

import random
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from waage.customer_base import (
    active_customers,
    channels,
    channels_note,
    history,
    permissions,
    portrait,
    portrait_finding,
)

from .book import order

UNTIL = date(2025, 6, 30)


@pytest.fixture
def make_persons(duck):
    def make(rows, **kinds):
        kinds = {"person_id": pa.string(), **kinds}
        table = pa.table({name: pa.array([row.get(name) for row in rows], kind) for name, kind in kinds.items()})
        return duck.create_table("base_persons", table, temp=True, overwrite=True)

    return make


@pytest.fixture
def make_status(duck):
    def make(rows, name="base_status", columns=("person_id", "status")):
        table = pa.table({c: pa.array([row[i] for row in rows], pa.string()) for i, c in enumerate(columns)})
        return duck.create_table(name, table, temp=True, overwrite=True)

    return make


def bought(n, value=10):
    return [order(f"p{i}", date(2025, 1, 1), value, number=i + 1) for i in range(n)]


def bought_by(orders):
    return active_customers(orders, UNTIL)


ALL = {"gender": pa.string(), "birth_date": pa.date32(), "country": pa.string(), "postcode": pa.string()}


class TestPortrait:
    def test_levels_shares_and_completeness(self, make_orders, make_persons):
        persons = [{"person_id": f"p{i}", "gender": "f" if i < 40 else "m" if i < 70 else None} for i in range(90)]
        persons += [{"person_id": f"q{i}", "gender": "d"} for i in range(50)]  # known, but not active
        rows = [*bought(100), order("p0", date(2025, 2, 1), 1000, number=900)]  # ten have no row among the persons
        found = portrait(bought_by(make_orders(rows)), make_persons(persons, gender=pa.string()))
        table = found.table.set_index("level")
        assert table["customers"].to_dict() == {"female": 40, "male": 30, "diverse": 0, "unknown": 30}
        assert table["share"].to_dict() == {"female": 0.4, "male": 0.3, "diverse": 0, "unknown": 0.3}
        assert table.loc["female", "revenue_share"] == pytest.approx(1400 / 2000)
        assert found.completeness.to_numpy().tolist() == [["gender", 100, 70, 0.7]]
        assert (found.customers, found.objectors) == (100, 0)
        assert "Gender 70%" in portrait_finding(found) and "Geschlecht 70" in portrait_finding(found, "de")

    def test_generations_at_their_bounds(self, make_orders, make_persons):
        bounds = {1945: "silent", 1946: "boomers", 1964: "boomers", 1965: "gen_x", 1980: "gen_x", 1981: "millennials"}
        bounds |= {1996: "millennials", 1997: "gen_z", 2012: "gen_z", 2013: "younger"}
        persons = [
            {"person_id": f"p{i}", "birth_date": date(year, 12 if i % 2 else 1, 31)} for i, year in enumerate(bounds)
        ]
        found = portrait(bought_by(make_orders(bought(11))), make_persons(persons, birth_date=pa.date32()), min_cell=1)
        expected = pd.Series([*bounds.values(), "unknown"]).value_counts()
        assert found.table.set_index("level")["customers"].to_dict() == {
            **dict.fromkeys(["silent", "boomers", "gen_x", "millennials", "gen_z", "younger", "unknown"], 0),
            **expected.to_dict(),
        }
        assert found.table["level"].tolist()[0] == "silent" and found.table["level"].tolist()[-1] == "unknown"

    def test_regions_of_any_country(self, make_orders, make_persons):
        places = [("DE", "01067"), ("de", " 09111"), (None, "80331"), ("GB", "sw1a 1aa"), ("AT", None), ("DE", "")]
        persons = [{"person_id": f"p{i}", "country": c, "postcode": p} for i, (c, p) in enumerate(places)]
        kinds = {"country": pa.string(), "postcode": pa.string()}
        found = portrait(
            bought_by(make_orders(bought(6))), make_persons(persons, **kinds), home_country="DE", min_cell=1
        )
        levels = found.table.set_index("level")["customers"].to_dict()
        assert levels == {"DE 0": 2, "DE 8": 1, "GB S": 1, "unknown": 2}

    def test_many_regions_become_one(self, make_orders, make_persons):
        persons = [{"person_id": f"p{i}", "postcode": "ABCDEFGHIJKLMNOPQRST"[i % 20] + "1"} for i in range(400)]
        found = portrait(bought_by(make_orders(bought(400))), make_persons(persons, postcode=pa.string())).table
        assert len(found) == 16 and found.iloc[-1][["level", "customers"]].tolist() == ["all_other", 100]
        assert found["customers"].sum() == 400

    def test_no_small_count_is_shown(self, make_orders, make_persons):
        persons = [{"person_id": f"p{i}", "gender": "f" if i < 50 else "m" if i < 80 else "d"} for i in range(84)]
        found = portrait(bought_by(make_orders(bought(84))), make_persons(persons, gender=pa.string()))
        table = found.table.set_index("level")
        assert table.loc[["diverse", "male"], ["customers", "share", "net_revenue"]].isna().all(axis=None)
        assert table.loc["female", "customers"] == 50

    def test_an_unknown_rest_that_is_small_is_not_told(self, make_orders, make_persons):
        persons = [{"person_id": f"p{i}", "gender": "f"} for i in range(97)]
        found = portrait(bought_by(make_orders(bought(100))), make_persons(persons, gender=pa.string()))
        assert found.completeness[["known", "share"]].isna().all(axis=None)

    @pytest.mark.parametrize(
        ("f", "m", "d", "objectors"),
        [(60, 30, 4, 0), (60, 4, 0, 0), (70, 20, 0, 0), (60, 25, 12, 3), (3, 2, 0, 0), (50, 40, 0, 5), (80, 14, 3, 0)],
    )
    def test_what_is_shown_cannot_be_solved_for_the_unknown(
        self, make_orders, make_persons, make_status, f, m, d, objectors
    ):
        genders = ["f"] * f + ["m"] * m + ["d"] * d
        persons = [{"person_id": f"p{i}", "gender": gender} for i, gender in enumerate(genders)]
        acts = [(f"p{i}", "profiling", "email", "objected") for i in range(objectors)]
        consents = make_status(acts, "base_solve", ("person_id", "purpose", "channel", "status"))
        found = portrait(bought_by(make_orders(bought(100))), make_persons(persons, gender=pa.string()), consents)
        shown = found.table.set_index("level")["customers"]
        known = found.completeness.iloc[0]
        # Unknowns: four levels and the objectors; all customers are public, the portrait's are where nobody can object.
        equations, values = [np.ones(5)], [100.0]
        if not 0 < objectors < 10:
            equations, values = [*equations, np.eye(5)[4]], [*values, float(objectors)]
        for place, n in enumerate(shown):
            if pd.notna(n):
                equations, values = [*equations, np.eye(5)[place]], [*values, n]
        if pd.notna(known["share"]):
            equations.append(np.array([1, 1, 1, 0, 0]) - known["share"] * np.array([1, 1, 1, 1, 0]))
            equations.append(np.array([1, 1, 1, 0, 0]))
            values += [0, known["known"]]
        space = np.array(equations)
        truth = np.array([*(sum(p["gender"] == g for p in persons[objectors:]) for g in "fmd"), 0, objectors])
        truth[3] = 100 - truth.sum()
        assert space @ truth == pytest.approx(values)
        for place in np.flatnonzero((truth > 0) & (truth < 10)):
            best = np.linalg.lstsq(space.T, np.eye(5)[place], rcond=None)[0]
            assert np.abs(space.T @ best - np.eye(5)[place]).max() > 1e-6, (place, found)

    def test_who_objects_to_profiling_is_left_out_and_counted(self, make_orders, make_persons, make_status):
        acts = [(f"p{i}", "profiling", "email", "objected") for i in range(12)] + [
            ("p50", "advertising", "email", "objected")
        ]
        consents = make_status(acts, "base_consents", ("person_id", "purpose", "channel", "status"))
        persons = [{"person_id": f"p{i}", "gender": "f" if i % 2 else "m"} for i in range(100)]
        found = portrait(bought_by(make_orders(bought(100))), make_persons(persons, gender=pa.string()), consents)
        assert (found.customers, found.objectors) == (88, 12)
        assert found.table.set_index("level").loc["female", "customers"] == 44
        assert "12 active customers object" in portrait_finding(found)
        few = make_status(acts[:3], "base_few", ("person_id", "purpose", "channel", "status"))
        found = portrait(bought_by(make_orders(bought(100))), make_persons(persons, gender=pa.string()), few)
        assert "Fewer than 10" in portrait_finding(found) and found.table["customers"].isna().any()

    def test_a_study_without_attributes(self, make_orders, make_persons):
        found = portrait(bought_by(make_orders(bought(20))), make_persons([{"person_id": "p1"}]))
        assert found.table.empty and found.completeness.empty and found.customers == 20
        assert "nothing to portray" in portrait_finding(found) and "Es gibt nichts" in portrait_finding(found, "de")


class TestPermissions:
    def test_active_and_all(self, make_orders, make_persons, make_status):
        persons = make_persons([{"person_id": f"p{i}"} for i in range(200)])
        status = make_status([(f"p{i}", "granted" if i < 90 else "withdrawn") for i in range(120)])
        found = permissions({"email": status}, persons, bought_by(make_orders(bought(100))))
        counts = found.set_index(["group", "status"])["customers"].to_dict()
        assert counts == {
            ("active", "granted"): 90,
            ("active", "withdrawn"): 10,
            ("active", "objected"): 0,
            ("active", "unknown"): 0,
            ("all", "granted"): 90,
            ("all", "withdrawn"): 30,
            ("all", "objected"): 0,
            ("all", "unknown"): 80,
        }
        assert found.set_index(["group", "status"]).loc[("all", "unknown"), "share"] == 0.4

    def test_no_small_count_is_shown(self, make_orders, make_persons, make_status):
        persons = make_persons([{"person_id": f"p{i}"} for i in range(60)])
        status = make_status([(f"p{i}", "objected") for i in range(4)])
        found = permissions({"post": status}, persons, bought_by(make_orders(bought(60))))
        assert found.loc[found["status"].isin(["objected", "unknown"]), ["customers", "share"]].isna().all(axis=None)

    def test_an_objection_is_hidden_on_every_channel_or_none(self, make_orders, make_persons, make_status):
        persons = make_persons([{"person_id": f"p{i}"} for i in range(200)])
        statuses = {}
        for at, name in enumerate(("email", "post", "phone")):
            rows = [(f"p{i}", "objected") for i in range(12)] + [(f"p{i}", "granted") for i in range(12, 100)]
            rows += [(f"p{i}", "withdrawn") for i in range(100, 100 + (3, 20, 30)[at])]
            statuses[name] = make_status(rows, f"base_{name}")
        active = bought_by(make_orders(bought(150)))
        wide = permissions(statuses, persons, active).set_index(["group", "channel", "status"])["customers"].unstack()
        hidden = wide.isna()
        assert hidden.loc["active", "objected"].nunique() == 1 and hidden.loc["active", "objected"].all()
        assert set(hidden.sum(axis=1)) <= {0, 2, 3, 4}
        for (group, _), row in wide.iterrows():
            rest = {"active": 150, "all": 200}[group] - row.sum()
            assert not row.isna().any() or rest >= 10

    def test_the_inactive_do_not_follow(self, make_orders, make_persons, make_status):
        persons = make_persons([{"person_id": f"p{i}"} for i in range(200)])
        status = make_status(
            [(f"p{i}", "granted") for i in range(90)] + [(f"p{i}", "granted") for i in range(196, 200)]
        )
        found = permissions({"email": status}, persons, bought_by(make_orders(bought(150))))
        wide = found.set_index(["group", "status"])["customers"].unstack(0)
        assert np.isnan(wide.loc["granted", "all"]) and wide.loc["granted", "active"] == 90


class TestChannels:
    def rows(self):
        rows = [order("old", date(2022, 1, 1), number=9_000)]
        plan = [("web", 2025, 30, 20), ("store", 2025, 12, 50), ("web", 2024, 20, 10), ("app", 2025, 4, 5)]
        for channel, year, people, value in plan:
            for i in range(people):
                at = date(year, 3, 1 + i % 20)
                rows.append(order(f"p{i}", at, value, channel=channel, returned=value / 4, number=len(rows) + 1))
        rows.append(order("p99", date(2025, 4, 1), 100, "cancelled", "web", number=len(rows) + 1))
        return rows

    def test_by_hand(self, make_orders):
        table = make_orders(self.rows())
        found = channels(table, history(table, UNTIL), min_cell=1).table.set_index("channel")
        web = found.loc["web"]
        assert (web.customers, web.orders, web.demand, web.net_revenue) == (30, 31, 700, 450)
        assert web.basket == pytest.approx(700 / 31) and web.share == pytest.approx(450 / (450 + 450 + 15))
        assert (web.orders_before, web.demand_before, web.share_before) == (20, 200, 1)
        assert found.loc["store", "orders"] == 12 and pd.isna(found.loc["store", "orders_before"])
        assert found.index.tolist() == ["store", "web", "app"]

    def test_small_channels_and_the_one_that_would_give_them_away_are_hidden(self, make_orders):
        table = make_orders(self.rows())
        found = channels(table, history(table, UNTIL)).table.set_index("channel")
        assert found.loc[["app", "store"], ["customers", "orders", "demand", "share"]].isna().all(axis=None)
        assert found.loc["web", "orders"] == 31

    def test_a_short_history_compares_nothing(self, make_orders):
        table = make_orders([order("a", date(2024, 3, 1), number=1), order("b", date(2025, 1, 1), number=2)])
        found = channels(table, history(table, UNTIL), min_cell=1).table
        assert found["orders"].tolist() == [1] and found["orders_before"].isna().all()

    def test_anonymous_orders_are_told_and_nowhere_else(self, make_orders):
        rows = [*self.rows(), *(order(None, date(2025, 5, 5), 10, number=5_000 + i) for i in range(7))]
        table = make_orders(rows)
        found = channels(table, history(table, UNTIL), min_cell=1)
        assert found.anonymous_orders == pytest.approx(7 / (31 + 12 + 4 + 7))
        assert found.anonymous_demand == pytest.approx(70 / (700 + 600 + 20 + 70))
        assert found.table["orders"].sum() == 47
        assert "13%" in channels_note(found) and "13\u00a0%" in channels_note(found, "de")

    def test_row_order_does_not_matter(self, make_orders):
        rows = self.rows()
        table = make_orders(rows)
        first = channels(table, history(table, UNTIL)).table
        random.Random(2).shuffle(rows)
        table = make_orders(rows)
        pd.testing.assert_frame_equal(first, channels(table, history(table, UNTIL)).table, check_exact=True)
