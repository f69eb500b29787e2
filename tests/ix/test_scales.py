"""Experience by group: persons are counted, and what few told is neither stored nor shown."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from waage.demo.ix_survey import ITEMS
from waage.demo.world import Settings
from waage.ix.chapters import groups_table
from waage.ix.measurement import Measurement
from waage.ix.scales import group_scores
from waage.ix.score import score

from .demo_panel import demo_people


@pytest.fixture(scope="module")
def people():
    found = demo_people(Settings(seed=5, units=2, weeks=4)).head(400)
    return found.assign(visitor=None, trait_told=np.where(np.arange(400) < 380, "a friend", "an advertisement"))


def groups(people, min_cell=30):
    items = ITEMS.assign(instrument="ix")
    own = Measurement(score(people, items), people, items, None, None, pd.DataFrame())
    return group_scores(own, {}, date(2025, 1, 1), "Europe/Berlin", min_cell=min_cell)


def test_a_text_that_few_told_is_neither_stored_nor_shown(people):
    people = people.assign(trait_told=people["trait_told"].where(np.arange(400) > 0, "Erika Mustermann 36"))
    found = groups(people)
    told = found.table.query("split == 'told'").set_index("group")
    assert set(told.index) == {"a friend", "other"}
    assert np.isnan(told.loc["other", "ix"]) and "Mustermann" not in found.table.to_string()
    assert "Erika" not in groups_table(found, "EUR").to_string()
    assert "Sonstige" in groups_table(found, "EUR", "de").to_string()


def test_groups_count_persons_and_not_their_answers(people):
    few = people.assign(visitor="shop|" + (np.arange(400) % 20).astype(str).astype(object))
    assert groups(few).table["ix"].isna().all(), "400 answers of 20 persons are 20 persons"
    many = groups(few, min_cell=10).table.query("split == 'told'").set_index("group")
    assert many.loc["a friend", "persons"] == 20 and many.loc["a friend", "answers"] > 350
    # The same answer twice tells nothing new: the interval is that of the persons.
    same = people.assign(visitor=people["response_id"])
    twice, once = (groups(table).table.query("group == 'a friend'") for table in (pd.concat([same, same]), same))
    assert (twice["high"] - twice["low"]).iloc[0] == pytest.approx((once["high"] - once["low"]).iloc[0], rel=0.01)
