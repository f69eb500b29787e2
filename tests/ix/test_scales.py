"""Experience by group: persons are counted, and what few told is neither stored nor shown."""

from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest

from waage.demo.ix_survey import ITEMS
from waage.demo.world import Settings
from waage.errors import Refusal
from waage.ix.calculator import MEASURES, calculator
from waage.ix.chapters import first_lines, groups_table, questionnaire_tables, shown_units, unit_table
from waage.ix.drivers import goal_drivers
from waage.ix.measurement import Measurement, measure, shop_line
from waage.ix.scales import group_scores
from waage.ix.score import score
from waage.ix.stored import page_cards

from .demo_panel import demo_people
from .test_score import long_answers


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
    twice, once = (groups(table, 10).table.query("group == 'a friend'") for table in (pd.concat([same, same]), same))
    assert (twice["high"] - twice["low"]).iloc[0] == pytest.approx((once["high"] - once["low"]).iloc[0], rel=0.01)


def test_weeks_of_few_persons_are_neither_stored_nor_drawn(people):
    people = people.assign(week=np.where(np.arange(400) < 390, people["week"], people["week"].max()))
    people["week"] = np.where(np.arange(400) < 390, pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-08"))
    people.loc[200:389, "week"] = pd.Timestamp("2024-01-15")
    items = ITEMS.assign(instrument="ix")
    scores = score(people.assign(unit="one"), items)
    stored = scores.shown(30).set_index("week")
    assert stored.loc["2024-01-08", ["ix", "perception", "goal", "variance", "n"]].isna().all()
    assert stored["ix"].notna().sum() == 2
    assert list(shop_line(scores.table, min_cell=30)["n"]) == [n for n in scores.table["n"] if n >= 30]
    assert len(first_lines(stored.reset_index(), None, min_cell=30)) == 2
    assert shown_units(stored.reset_index(), 100, 30)["week"].nunique() >= 2
    assert "nan" not in unit_table(stored.reset_index(), {}, 13, 30).to_string()
    # Twenty persons who answer often are twenty persons.
    often = score(people.assign(unit="one", visitor=(np.arange(400) % 20).astype(str)), items)
    assert often.shown(30)["ix"].isna().all() and not len(first_lines(often.shown(30), None, min_cell=30))
    assert page_cards(first_lines(often.shown(30), None, min_cell=30), None) == []


def test_a_level_of_few_persons_and_their_items_are_refused(people):
    rows, items = long_answers(people), ITEMS.assign(instrument="ix")
    for name in ("scale_min", "scale_max"):
        items[name] = items[name].astype(float)
    tables = {"responses": ibis.memtable(rows), "items": ibis.memtable(items.astype({"missing_codes": "string"}))}
    when = (date(2030, 1, 1), "Europe/Berlin")
    assert measure(tables, *when, min_cell=5).scores.respondents > 30
    with pytest.raises(Refusal, match=r"answers of 100 persons, the least that may be shown \(min_cell_survey\)"):
        measure(tables, *when, min_cell=100)
    few = people.assign(trust=people["trust"].where(np.arange(400) < 12))
    own = Measurement(score(few, items), few, items, None, None, pd.DataFrame())
    assert len(questionnaire_tables(own, 5)[0]) == len(questionnaire_tables(own, 30)[0]) + 1


def test_an_item_that_all_answer_alike_explains_nothing_and_breaks_nothing(people):
    items = ITEMS.assign(instrument="ix")
    same = people.assign(trust=50.0)
    own = Measurement(score(same, items), same, items, None, None, pd.DataFrame())
    table = goal_drivers(own, resamples=5).table
    assert "trust" not in set(table["item"]) and table["weight"].notna().all()


def test_the_calculator_leaves_out_a_unit_that_was_never_scored():
    rows = [("all", m, 1e6, 0.01, 0.0, 0.02, -2.0, 2.0, 0.5) for m in MEASURES]
    rows += [("unscored", m, 1e6, 0.01, 0.0, 0.02, np.nan, np.nan, np.nan) for m in MEASURES]
    names = ["unit", "measure", "base", "effect", "effect_low", "effect_high", "support_low", "support_high", "visible"]
    html = calculator(pd.DataFrame(rows, columns=names), {})
    assert "unscored" not in html and 'option value="all"' in html
