"""From a survey to everybody's type: what is read, kept and written, and what never leaves."""

import json
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from ibis.util import gen_name
from sklearn.metrics import adjusted_rand_score

from waage import typology
from waage.errors import Refusal, WaageError, unless_refused
from waage.typology import chapters, findings
from waage.typology.survey import read_survey
from waage.typology.types import find_types, kept_model, remember, reopen

from .shop import AS_OF, SHARES, make_shop, unified

ZONE = "Europe/Berlin"
QUICK = {"most": 4, "n_init": 6, "n_bootstrap": 4, "seed": 5, "n_jobs": 1}


@pytest.fixture(scope="module")
def lazy(duck):
    """Return a function that makes ibis tables of frames."""

    def make(frames):
        typed = {name: frame.copy() for name, frame in frames.items()}
        for frame in typed.values():
            empty = [name for name in ("best", "missing_codes", "construct", "text") if name in frame]
            frame[empty] = frame[empty].astype("string")
        for column in ("revenue", "net_revenue"):
            typed["customer_orders"][column] = typed["customer_orders"][column].map("{:.4f}".format)
        tables = {}
        for name, frame in typed.items():
            table = duck.create_table(gen_name(name), pa.Table.from_pandas(frame, preserve_index=False))
            money = [column for column in ("revenue", "net_revenue") if column in table.columns]
            table = table.mutate(**{column: table[column].cast("decimal(18, 4)") for column in money})
            if "day" in table.columns:
                table = table.mutate(day=table.day.cast("date"))
            tables[name] = table
        return tables

    return make


@pytest.fixture(scope="module")
def shop():
    return make_shop()


@pytest.fixture(scope="module")
def tables(lazy, shop):
    return lazy(unified(shop))


@pytest.fixture(scope="module")
def survey(tables):
    return read_survey(tables, AS_OF, time_zone=ZONE)


@pytest.fixture(scope="module")
def types(survey):
    return find_types(survey, AS_OF, **QUICK)


@pytest.fixture(scope="module")
def typed(types, tables):
    return typology.type_customers(types, tables, AS_OF, ZONE)


def test_the_survey_reads_nothing_later_than_the_day_and_no_behaviour_from_the_interview_on(lazy, shop, survey):
    frames = unified(shop)
    asked = shop["responses"].drop_duplicates("source_id").set_index("source_id").responded_at
    extra = frames["customer_orders"].head(1)
    person = asked.index[0]
    day = pd.Timestamp(asked[person].date())
    late = extra.assign(order_id="new", source_id=person, person_id=person, ordered_at=day, day=day)
    late = late.assign(revenue=9999.0, net_revenue=9999.0)
    frames["customer_orders"] = pd.concat([frames["customer_orders"], late], ignore_index=True)
    again = read_survey(lazy(frames), AS_OF, time_zone=ZONE)
    pd.testing.assert_frame_equal(again.behaviour, survey.behaviour)
    half = date(2025, 5, 22)
    early = read_survey(lazy(unified(shop, half)), half, time_zone=ZONE)
    assert early.last_day <= half < survey.last_day and early.sample.n < survey.sample.n


def test_who_objects_is_in_no_sample(lazy, shop, survey):
    frames = unified(shop)
    out = frames["responses"].source_id.unique()[:40]
    frames["persons"] = frames["persons"][~frames["persons"].person_id.isin(out)]
    again = read_survey(lazy(frames), AS_OF, time_zone=ZONE)
    assert again.objectors == 40 and again.sample.n == survey.sample.n - 40
    assert not set(again.persons) & set(out)


def test_a_study_without_a_survey_and_one_with_too_small_a_survey_are_refused(lazy, shop, tables):
    with pytest.raises(Refusal, match="no responses and no items"):
        read_survey({name: t for name, t in tables.items() if name not in ("responses", "items")}, AS_OF)
    frames = unified(make_shop(persons=400, asked=290))
    with pytest.raises(Refusal, match="290 usable respondents, and types need 300"):
        read_survey(lazy(frames), AS_OF, time_zone=ZONE)


def test_at_most_four_types_below_500_respondents(lazy):
    survey = read_survey(lazy(unified(make_shop(persons=700, asked=420))), AS_OF, time_zone=ZONE)
    with pytest.raises(Refusal, match="420 respondents carry 2 to 4 types, not 6"):
        find_types(survey, AS_OF, k=6, **QUICK)
    assert any("at most 4 types" in text for text in survey.sample.warnings())


def test_a_number_of_types_that_cannot_be_is_a_fault(survey):
    with pytest.raises(WaageError, match="types are 2 to 8"):
        find_types(survey, AS_OF, k=9, **QUICK)


def test_another_instrument_is_no_survey_for_types(tables):
    with pytest.raises(Refusal, match=r"instrument 'typologie' \(did you mean 'typology'\?\); there are typology"):
        read_survey(tables, AS_OF, instrument="typologie", time_zone=ZONE)


def test_customers_nobody_spoke_for_are_named(lazy, shop):
    frames = unified(shop)
    stage = frames["rfm"].set_index("person_id").lifecycle
    frames["responses"] = frames["responses"][frames["responses"].source_id.map(stage) != "lead"]
    survey = read_survey(lazy(frames), AS_OF, time_zone=ZONE)
    assert "lead" in set(survey.base.unheard.level) and "lead" not in survey.base.margins["stage"]
    assert survey.base.unheard.set_index("trait").share["stage"] == pytest.approx((stage == "lead").mean())
    only = frames["responses"].source_id.map(stage) == "lapsed"
    frames["responses"] = shop["responses"][shop["responses"].source_id.map(stage) == "lapsed"].assign(weight=np.nan)
    if only.sum() and frames["responses"].source_id.nunique() >= 300:
        with pytest.raises(Refusal, match="less than half"):
            read_survey(lazy(frames), AS_OF, time_zone=ZONE)


def test_a_kept_model_types_by_the_shares_it_learned(types, lazy, shop):
    """A channel that is new today, or one that went, changes no column of a model from before."""
    frames = unified(shop)
    frames["customer_orders"] = frames["customer_orders"].replace({"channel": {"app": "application"}})
    stored = remember(None, types)
    changed = lazy(frames)
    again = find_types(read_survey(changed, AS_OF, time_zone=ZONE), AS_OF, stored=stored, **QUICK)
    assert not again.fresh and again.survey.channels == types.survey.channels
    assert typology.type_customers(again, changed, AS_OF, ZONE).persons == len(shop["truth"])
    without = {name: table for name, table in changed.items() if name != "order_lines"}
    with pytest.raises(Refusal, match="of which the study knows nothing any more"):
        typology.type_customers(again, without, AS_OF, ZONE)


def test_types_are_those_that_were_put_in(types, shop):
    true = shop["truth"].set_index("person_id").type[types.survey.persons.to_numpy()]
    assert types.choice.k == 3 and types.choice.verdict == "natural" and types.fresh
    assert adjusted_rand_score(true, types.posterior.argmax(axis=1)) > 0.8
    assert types.names == ("type_1", "type_2", "type_3")
    sizes = findings.survey_shares(types)
    assert sizes.share.is_monotonic_decreasing
    assert ((sizes.share_low <= list(SHARES)) & (sizes.share_high >= list(SHARES))).sum() >= 2


def test_a_kept_model_says_the_same_and_holds_until_asked(types, survey, tables, typed):
    stored = json.loads(json.dumps(remember(None, types)))
    again = find_types(survey, AS_OF, stored=stored, **QUICK)
    assert not again.fresh and again.as_of == AS_OF and again.fitted_on == survey.sample.n
    np.testing.assert_allclose(again.posterior, types.posterior, atol=1e-12)
    there = typology.type_customers(again, tables, AS_OF, ZONE)
    pd.testing.assert_frame_equal(typology.typing_report(again, there), typology.typing_report(types, typed))
    assert "hold until new ones are asked for" in findings.origin(again, [])[0].data
    assert find_types(survey, AS_OF, stored=stored, refit=True, **QUICK).fresh
    other = find_types(survey, AS_OF, stored=stored, **QUICK | {"k": 2})
    assert other.fresh and other.choice.k == 2
    tomorrow = find_types(survey, AS_OF + timedelta(days=1), stored=stored, **QUICK)
    assert not tomorrow.fresh
    assert kept_model(stored, AS_OF - timedelta(days=1)) is None, "a later model explains no earlier day"
    assert json.loads(json.dumps(remember(stored, again))) == stored


def test_later_notebooks_reopen_what_is_kept(types, tables):
    stored = json.loads(json.dumps(remember(None, types)))
    again = reopen(stored, tables, AS_OF, time_zone=ZONE)
    np.testing.assert_allclose(again.posterior, types.posterior, atol=1e-12)
    with pytest.raises(Refusal, match="keeps no types"):
        reopen(None, tables, AS_OF)


def test_nothing_that_is_kept_is_about_a_respondent(types, survey):
    text = json.dumps(remember(None, types))
    assert not any(person in text for person in survey.persons) and not any(
        r in text for r in survey.sample.active.index
    )


def test_ids_last_when_types_are_found_anew(lazy, shop, types):
    frames = unified(shop)
    # The largest type shrinks to the smallest: in the order of size it would be another number.
    true = shop["truth"].set_index("person_id").type
    rare = frames["responses"].source_id.map(true) == 0
    kept = frames["responses"].source_id.map(lambda s: int(s[1:]) % 4 == 1)
    frames["responses"] = frames["responses"][~rare | kept]
    survey = read_survey(lazy(frames), AS_OF, time_zone=ZONE)
    settings = {**QUICK, "k": 3}
    stored = remember(None, types)
    fresh, named = find_types(survey, AS_OF, **settings), find_types(survey, AS_OF, stored=stored, **settings)

    def most(found):
        sample = found.survey.sample
        means = sample.answers.loc[sample.active.index, ["q0", "q1"]].mean(axis=1).to_numpy()
        return found.names[int(np.argmax(means @ found.posterior / found.posterior.sum(axis=0)))]

    assert most(types) == most(named) == "type_1"
    assert most(fresh) != "type_1"
    segments = named.choice.segments[named.choice.segments.k == 3].set_index("type").share
    assert segments[1] == pytest.approx(named.choice.classes.shares[named.choice.classes.ids.index(1)])


def test_everybody_gets_a_type_and_sizes_are_summed_probabilities(typed, types, tables, shop):
    table = typed.table.execute()
    assert sorted(table.person_id) == sorted(shop["truth"].person_id)
    p = table[["p_1", "p_2", "p_3"]]
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(table.type_p, p.max(axis=1))
    np.testing.assert_allclose(typed.shares.customers, p.sum(), atol=1e-6)
    true = shop["truth"].type.value_counts(normalize=True).to_numpy()
    np.testing.assert_allclose(typed.shares.share, true, atol=0.03)
    without = table[table.person_id.isin(set(shop["truth"].person_id) - set(shop["orders"].source_id))]
    assert len(without) and (without.band == "unclear").all()
    assert len(without.p_1.round(9).unique()) == 3, "the mix of each channel"
    assert typed.bands.customers.sum() == len(table)
    assert typed.shares.revenue_share.sum() == pytest.approx(1)


def test_answers_never_leave_not_even_for_respondents(lazy, shop, types, tables, typed):
    """The research wall: with the model given, whatever anybody answered changes nobody's row."""
    stored = remember(None, types)
    frames = unified(shop)
    rng = np.random.default_rng(0)
    answers = frames["responses"]
    answers["value"] = answers.groupby("item")["value"].transform(lambda given: rng.permutation(given.to_numpy()))
    changed = lazy(frames)
    survey = read_survey(changed, AS_OF, time_zone=ZONE)
    again = find_types(survey, AS_OF, stored=stored, **QUICK)
    assert not np.allclose(again.posterior, types.posterior)
    other = typology.type_customers(again, changed, AS_OF, ZONE).table.execute()
    mine = typed.table.execute()
    by_id = [table.sort_values("person_id", ignore_index=True) for table in (mine, other)]
    pd.testing.assert_frame_equal(*by_id)
    assert list(mine) == ["person_id", "p_1", "p_2", "p_3", "type", "band", "type_p"]
    # And a respondent's row is no better informed than a stranger's who behaves the same.
    answered = mine.person_id.isin(types.survey.persons)
    label = pd.Series(types.posterior.argmax(axis=1), types.survey.persons.to_numpy())
    agree = (mine.set_index("person_id").type.loc[label.index].str[5:].astype(int) - 1 == label).mean()
    assert answered.sum() > 500 and agree < 0.95


def test_behaviour_that_says_nothing_closes_the_gate(lazy):
    tables = lazy(unified(make_shop(carry=0.0)))
    types = find_types(read_survey(tables, AS_OF, time_zone=ZONE), AS_OF, **QUICK)
    assert types.choice.k == 3 and not types.typing.open
    with pytest.raises(Refusal, match="Behaviour does not carry this typology"):
        typology.type_customers(types, tables, AS_OF, ZONE)
    assert any("does not carry" in text for text in findings.warnings(types, force=False))
    forced = typology.type_customers(types, tables, AS_OF, ZONE, force=True)
    assert forced.table.count().execute() == 1500
    assert any("force_types" in text for text in findings.warnings(types, force=True))


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_report_reads_well_in_both_languages(types, typed, language):
    import matplotlib.pyplot as plt

    said = [findings.first_finding(types, language), findings.origin(types, ["!"], language)[0].data]
    said += [findings.customers_finding(types, typed, language), findings.conformal_finding(types, language)]
    tables = [chapters.types_table(types, language), chapters.sample_table(types, language)]
    tables += chapters.choice_tables(types, language) + chapters.quality_tables(types.typing, language)
    tables += chapters.customers_tables(typed, language)
    for text in [
        *said,
        *(cell for table in tables for cell in [*table.columns, *table.astype(str).to_numpy().ravel()]),
    ]:
        assert "_" not in text.replace("*refit_types*", "") and "nan" not in text.lower().split(), text
    assert ("Haltung" if language == "de" else "Attitude") in said[0]
    for draw in (
        lambda: typology.plot_types(types, typed, language=language),
        lambda: typology.outcomes_parts(types, language),
        lambda: typology.type_pictures(types, language),
        lambda: typology.plot_typing(types.typing, language),
        lambda: types.profiles.plot_heatmap(language=language, labels=types.survey.labels(language)),
    ):
        draw()
        plt.gcf().canvas.draw()
        plt.close("all")


def test_tables_have_their_keys_and_hide_small_groups(types, typed, tables):
    report = typology.typing_report(types, typed)
    assert not report.duplicated(["part", "item", "measure"]).any()
    assert not types.profiles.table.duplicated(["type", "variable", "level"]).any()
    large = typology.type_customers(types, tables, AS_OF, ZONE, min_cell=600)
    assert large.shares.customers.isna().sum() >= 2, "the smallest, and one that would give it away"
    assert large.shares.unclear.isna().all() and large.bands.customers.isna().any()
    report = typology.typing_report(types, large)
    hidden = report[(report.part == "shares") & (report.measure == "customers")]
    assert hidden.value.isna().sum() >= 2
    assert "hidden" in chapters.customers_tables(large)[0]["Customers"].tolist()


def test_outcomes_are_corrected_with_the_types_own_uncertainty(types):
    assert types.outcomes.refitted
    assert set(types.outcomes.table.outcome) == {"orders", "net_revenue"}


def test_refitted_classes_start_at_their_own_solution(types):
    sample, classes = types.survey.sample, types.choice.classes
    again = classes.refitted(sample.active, types.weights)
    np.testing.assert_allclose(again(np.arange(sample.n)), types.posterior, atol=2e-3)
    drawn = np.random.default_rng(1).integers(sample.n, size=sample.n)
    posterior = again(drawn)
    assert posterior.shape == types.posterior.shape and np.allclose(posterior.sum(axis=1), 1)
    assert (posterior.argmax(axis=1) == types.posterior[drawn].argmax(axis=1)).mean() > 0.95


def test_a_survey_without_behaviour_still_shows_its_types(lazy, shop):
    """Respondents whom nobody can find in the customer file but a few: types, and no tool."""
    frames = unified(shop)
    few = set(frames["responses"].source_id.unique()[:12])
    frames["responses"]["source_id"] = [s if s in few else f"X{s}" for s in frames["responses"].source_id]
    survey = read_survey(lazy(frames), AS_OF, time_zone=ZONE)
    types = find_types(survey, AS_OF, **QUICK)
    assert types.choice.k == 3 and not types.typing
    typed = unless_refused(typology.type_customers, types, lazy(frames), AS_OF, ZONE)
    assert not typed and "needed for 5 folds" in typed.reason
    assert len(typology.typing_report(types, typed)) and findings.first_finding(types)


def test_time_moves_types_only_through_behaviour(types, lazy, shop):
    """Typed on an earlier day with the same model, a customer's row holds no later order."""
    before = AS_OF - timedelta(days=200)
    frames = unified(shop, before)
    frames["rfm"] = unified(shop)["rfm"]
    early = typology.type_customers(types, lazy(frames), before, ZONE).table.execute().set_index("person_id")
    orders = frames["customer_orders"]
    only = set(orders.person_id) - set(orders[orders.day <= pd.Timestamp(before)].person_id)
    assert only and (early.loc[sorted(only)].band == "unclear").all()
    assert datetime.combine(before, datetime.min.time()) < datetime.combine(AS_OF, datetime.min.time())
