import ibis
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waage.privacy import CUSTOMER_FILE, customer_file, mask_small, may_profile
from waage.unify import person_consents


def groups(*sizes: int) -> pd.DataFrame:
    return pd.DataFrame({"group": range(len(sizes)), "customers": sizes, "share": [size / 100 for size in sizes]})


def test_small_groups_are_hidden_with_their_values():
    masked = mask_small(groups(4, 6, 50, 40), "customers", "share", min_cell=10)
    assert masked["customers"].isna().tolist() == [True, True, False, False]
    assert masked["share"].isna().tolist() == [True, True, False, False]


def test_a_single_hidden_group_takes_the_next_one_with_it():
    masked = mask_small(groups(4, 12, 50), "customers", "share", min_cell=10)
    assert masked["customers"].isna().tolist() == [True, True, False], "else 4 is the total minus the others"


def test_empty_groups_stay_and_large_tables_are_left_alone():
    assert mask_small(groups(0, 50), "customers", min_cell=10)["customers"].tolist() == [0, 50]
    assert not mask_small(groups(10, 50), "customers", min_cell=10)["customers"].isna().any()


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(1, 15))
def test_nothing_small_is_shown_and_nothing_small_can_be_worked_out(sizes, min_cell):
    masked = mask_small(groups(*sizes), "customers", min_cell=min_cell)["customers"]
    shown = masked.dropna()
    assert ((shown == 0) | (shown >= min_cell)).all()
    hidden = sum(sizes) - shown.sum()
    assert hidden == 0 or hidden >= min_cell or len(shown[shown > 0]) == 0


CONSENTS = """
SELECT * FROM (VALUES
  ('shop', '1', 'profiling', 'email', TIMESTAMP '2024-03-01', 'objected', 'a@x.de'),
  ('card', '9', 'profiling', 'email', TIMESTAMP '2024-04-01', 'granted', 'a@x.de'),
  ('shop', '2', 'advertising', 'post', TIMESTAMP '2024-01-01', 'withdrawn', NULL),
  ('shop', '3', 'profiling', NULL, TIMESTAMP '2024-01-01', 'granted', NULL),
  ('shop', '3', 'profiling', NULL, TIMESTAMP '2024-01-01', 'withdrawn', NULL),
  ('shop', '5', 'profiling', 'email', TIMESTAMP '2024-01-01', 'objected', 'e@x.de'),
  ('card', '5', 'profiling', NULL, TIMESTAMP '2024-05-01', 'granted', NULL),
  ('shop', '6', 'profiling', NULL, TIMESTAMP '2024-01-01', 'granted', NULL),
  ('shop', '6', 'profiling', 'push', TIMESTAMP '2024-02-01', 'withdrawn', NULL),
  ('shop', '8', 'profiling', NULL, TIMESTAMP '2024-01-01', 'objected', NULL)
) c(source, source_id, purpose, channel, changed_at, status, contact_point)"""
PEOPLE = """SELECT * FROM (VALUES ('shop', '1', 'A'), ('card', '9', 'A'), ('shop', '2', 'B'), ('shop', '3', 'C'),
            ('shop', '5', 'E'), ('card', '5', 'E'), ('shop', '6', 'F')) p(source, source_id, person_id)"""


@pytest.fixture
def consents(duck) -> ibis.Table:
    return person_consents(duck.sql(CONSENTS), duck.sql(PEOPLE))


def test_persons_who_object_to_profiling_are_left_out(duck, consents):
    people = duck.sql("SELECT unnest(['A', 'B', 'C', 'D', 'E', 'F']) AS person_id")
    allowed = sorted(may_profile(people, consents).execute()["person_id"])
    assert "A" not in allowed, "a grant for one channel does not lift the objection: there is one profile for all"
    assert "E" in allowed, "a later grant for all channels does"
    assert allowed == ["B", "D", "E"]
    assert may_profile(people, None) is people


def test_the_customer_file_holds_what_may_leave_and_nothing_else(duck, consents):
    people = duck.sql("SELECT unnest(['A', 'B', 'C', 'D']) AS person_id, 'x@y.de' AS email")
    rfm = duck.sql("""SELECT unnest(['A', 'B']) AS person_id, 3 AS recency_days, 1 AS frequency, 9.5 AS monetary,
                      5 AS r, 1 AS f, 1 AS m, 'new' AS segment, 'new' AS lifecycle, 'secret' AS answer""")
    got = customer_file(people, rfm, person_consents=consents).order_by("person_id").execute()
    wanted = ["person_id", *(name for part in CUSTOMER_FILE.values() for name in part), "may_profile"]
    assert list(got.columns) == wanted
    assert got["may_profile"].tolist() == [False, True, False, True]
    assert got["segment"].isna().tolist() == [True, False, True, True]
    assert got["clv"].isna().all()


def test_persons_outside_all_groups_hide_a_group_with_them():
    masked = mask_small(groups(12, 50, 80), "customers", min_cell=10, others=3)["customers"]
    assert masked.isna().tolist() == [True, False, False], "else 3 is the total minus the groups"
    assert not mask_small(groups(12, 50), "customers", min_cell=10, others=10)["customers"].isna().any()
