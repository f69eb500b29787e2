"""Events of the simulated retailer: sessions, logins, and which views led to which orders."""

from pathlib import Path

import pandas as pd
import pytest

from waage.contract import Limits, check
from waage.demo.events import KEPT
from waage.demo.files import Files
from waage.demo.people import campaign_contacts, people
from waage.demo.purchases import write_purchases
from waage.demo.world import LAST_DAY, Settings

SOURCES = Path(__file__).resolve().parents[2] / "data" / "demo" / "sources"


@pytest.fixture(scope="module")
def shop(duck, tmp_path_factory) -> dict[str, pd.DataFrame]:
    folder, settings = tmp_path_factory.mktemp("shop"), Settings(persons=4000)
    crowd = people(settings, 0)
    with Files(folder) as out:
        write_purchases(settings, 0, crowd, campaign_contacts(settings, 0, crowd), out)
    found = {"people": crowd, "view_through": pd.read_parquet(folder / "truth" / "view_through.parquet")}
    checked = {}
    for name in ("orders", "order_lines", "events"):
        sql = (SOURCES / f"{name}.sql").read_text(encoding="utf-8").replace("${raw}", str(folder / "raw"))
        checked[name] = check(duck.sql(sql), name, Limits("Europe/Berlin", LAST_DAY), checked)
        found[name] = checked[name].accepted.execute()
    return found


def test_two_thirds_are_not_logged_in_and_all_kinds_occur(shop):
    events = shop["events"]
    assert 0.58 < events.source_id.isna().mean() < 0.75
    share = events.event.value_counts(normalize=True)
    assert set(share.index) == {"visit", "view", "cart", "search", "open", "click", "scan"}
    assert share["view"] > share["cart"] > share["click"] and share["open"] > share["click"]
    assert set(events.device.dropna()) == {"app", "mobile", "desktop"}
    first = pd.Timestamp(LAST_DAY) - pd.Timedelta(days=KEPT)
    assert events.occurred_at.min() > first


def test_accounts_are_those_of_the_people(shop):
    events, crowd = shop["events"], shop["people"]
    for source in ("web", "app", "news"):
        seen = events[(events.source == source) & events.source_id.notna()].source_id
        assert len(seen) and seen.isin(crowd[f"{source}_id"].dropna()).all()
    app = events[(events.source == "app")].device_id
    assert app.isin(crowd.device_id.dropna()).mean() > 0.95


def test_a_session_is_one_device_in_order(shop):
    events = shop["events"].dropna(subset="session_id").sort_values(["session_id", "occurred_at"])
    by = events.groupby("session_id")
    assert (by.device_id.nunique() == 1).all() and (by.source.nunique() == 1).all()
    assert (by.event.first() == "visit").mean() > 0.999  # a visit whose clock was wrong is in quarantine
    assert ((by.occurred_at.max() - by.occurred_at.min()).dt.total_seconds() < 3 * 3600).all()
    assert by.source_id.nunique().max() == 1


def test_a_browser_gets_new_cookies_and_nobody_shares_one(shop):
    events = shop["events"]
    web = events[(events.source == "web") & events.source_id.notna()]
    assert web.groupby("device_id").source_id.nunique().max() == 1
    assert web.groupby("source_id").device_id.nunique().mean() > 1.2


def test_truth_says_which_view_led_to_which_order(shop):
    led = shop["view_through"]
    assert led.event_id.is_unique and not led.duplicated(["source", "order_id"]).any()
    both = led.merge(shop["orders"], on=["source", "order_id"], suffixes=("", "_of_order"))
    both = both.merge(shop["events"][["event_id", "occurred_at", "event", "product_id"]], on="event_id")
    assert len(both) == len(led)
    assert (both.event == "view").all() and (both.channel == both.channel_of_order).all()
    hours = (both.ordered_at - both.occurred_at).dt.total_seconds() / 3600
    online = both.channel != "store"
    assert hours[online].between(0, 1).all()
    assert hours[~online].between(1, 8 * 24).all() and hours[~online].median() > 48
    lines = shop["order_lines"]
    pairs = set(zip(lines.source, lines.order_id, lines.product_id, strict=True))
    bought = [key in pairs for key in zip(both.source, both.order_id, both.product_id, strict=True)]
    assert sum(bought) > 0.99 * len(bought)  # a quarantined line is missing


def test_most_sessions_lead_to_nothing(shop):
    events, led = shop["events"], shop["view_through"]
    leading = events[events.event_id.isin(led.event_id)].session_id.nunique()
    assert 0.05 < leading / events.session_id.nunique() < 0.35
    views = events[events.event == "view"]
    assert led[led.channel == "store"].event_id.isin(views[views.source_id.isna()].event_id).mean() > 0.5
