"""What points are worth, why the IX moved, groups, plans."""

import json
from dataclasses import replace
from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest

from waage import style
from waage.demo.ix_survey import ITEMS
from waage.demo.world import Settings
from waage.errors import Refusal, WaageError, told, unless_refused
from waage.ix.calculator import calculator
from waage.ix.drivers import accounting, asymmetry, importance_map, item_drivers, johnson_weights, lmg_weights
from waage.ix.findings import calculator_finding, cautions, headlines, truth_finding, why_finding
from waage.ix.guards import merge_units
from waage.ix.link import link
from waage.ix.linkage import link_experience
from waage.ix.plan import ix_plan, questionnaire, questionnaire_items, questionnaire_text
from waage.ix.plots import plot_importance_map, plot_two_currencies
from waage.ix.scales import ix_by_group
from waage.ix.score import codebook
from waage.ix.simulation import simulate_panel
from waage.ix.value import move_between, points_needed, value_points

from .demo_panel import demo_people, demo_performance, demo_scores

matplotlib.use("Agg")
SMALL = Settings(seed=5, units=8, weeks=70)


@pytest.fixture(scope="module")
def value():
    panel, _ = simulate_panel(1, weeks=156)
    return value_points(panel, link(panel), grade="C", net_share=0.8, margin_rate=0.35)


def test_euros_follow_from_the_long_run_and_last_years_demand(value):
    table = value.per_year(1.0, cost=0.0).set_index("measure")
    by_hand = value.yearly_demand * np.expm1(value.link.long_run())
    assert table.loc["demand", "value"] == pytest.approx(by_hand, rel=0.01)
    assert table.loc["margin", "value"] == pytest.approx(by_hand * 0.8 * 0.35, rel=0.01)
    low, high = (value.yearly_demand * np.expm1(end) for end in value.link.interval())
    assert table.loc["demand", ["low", "high"]].to_numpy(float) == pytest.approx([low, high], rel=0.03)
    assert table.loc["demand", "year_1"] == pytest.approx(table.loc["demand", "value"] * value.link.year_1())
    assert table.loc["margin", "p_above_cost"] > 0.99
    # A move that was measured with error makes the interval wider.
    wider = value.per_year(1.0, variance=0.25).set_index("measure").loc["demand"]
    assert wider["high"] - wider["low"] > 1.3 * (table.loc["demand", "high"] - table.loc["demand", "low"])


def test_draws_are_joint_and_add_up(value):
    assert value.draws[:, :3].sum(axis=1) == pytest.approx(value.draws[:, 3])
    spread = (np.quantile(value.draws[:, 3], [0.025, 0.975]) - value.link.long_run()) / value.link.std_error()
    assert spread == pytest.approx([-2.069, 2.069], abs=0.08)  # t with 23 degrees of freedom
    parts = value.parts().set_index("outcome")["change"]
    assert np.log1p(parts).iloc[:3].sum() == pytest.approx(np.log1p(parts["demand"]))


def test_no_number_is_given_outside_observed_moves(value):
    assert value.supports(1.0) and not value.supports(8.0)
    far = value.per_year(8.0)
    assert far[["value", "low", "high"]].isna().all(axis=None) and not far["supported"].any()
    assert value.table(8.0)["value"].isna().all() and value.table(1.0)["value"].notna().all()
    # Moves are those of the experience (SD 2 and a common 1.5), not of the survey's noise.
    assert 3 < value.support[1] < 5
    assert value.plot_curve(language="de").get_title().startswith("Was IX-Punkte")
    assert len(value.plot_parts().patches) == 4


def test_the_table_answers_both_ways_as_the_draws_do(value):
    table = value.table(2.0).set_index(["unit", "measure"])
    per_year = value.per_year(2.0).set_index("measure")
    for measure in ("demand", "net_revenue", "margin"):
        row = table.loc[("all", measure)]
        for name in ("value", "low", "high", "year_1"):
            assert row[name] == pytest.approx(per_year.loc[measure, name], rel=1e-9)
    shop = table.loc["all"]
    parts = value.parts(2.0).set_index("outcome")["change"]
    assert shop.loc["visits", "value"] / shop.loc["visits", "base"] == pytest.approx(parts["visits"], rel=0.02)
    assert table.xs("demand", level="measure")["base"].iloc[1:].sum() == pytest.approx(shop.loc["demand", "base"])
    back = points_needed(value.table(), per_year.loc["demand", "value"]).set_index(["unit", "measure"])
    row = back.loc[("all", "demand")]
    assert row["needed"] == pytest.approx(2.0) and row["needed_low"] < 2.0 < row["needed_high"]
    assert row["supported"] and row["seen"] and 0 < row["visible"] < 1
    assert not back.loc[("unit_000", "demand"), "supported"], "one unit does not bring what the shop does"
    panel, _ = simulate_panel(1, effect=(0.0,))
    nothing = points_needed(value_points(panel, link(panel), grade="D").table(), 1e6)
    assert np.isinf(nothing["needed_high"]).all()


def test_the_sentence_is_the_result_in_words(value):
    english, german = value.sentence("en", robustness=0.2), value.sentence("de")
    assert english.startswith("+1 IX point = +0.8% demand (95%: 0.6% to 1.0%) = €")
    assert "Evidence: panel, all checks passed." in english and "between units" in english and "20%" in english
    assert (
        german.startswith("+1 IX-Punkt = +0,8\u00a0% Nachfrage") and "Beleg: Panel, alle Prüfungen bestanden" in german
    )
    panel, _ = simulate_panel(1, effect=(0.03,))
    assert "treat it as a defect" in value_points(panel, link(panel), grade="D").sentence()
    panel, _ = simulate_panel(1, effect=(0.0,))
    assert "an effect is not shown" in value_points(panel, link(panel), grade="D").sentence()


def test_amounts_are_said_for_observed_moves_only(value):
    small = replace(value, support=(-0.62, 0.58))
    english, german = small.sentence(), small.sentence("de")
    half = style.compact(small.yearly_demand * small.parts(0.58)["change"].iloc[-1], "EUR")
    whole = style.compact(small.yearly_demand * small.parts(1.0)["change"].iloc[-1], "EUR")
    assert f"seldom moved by a whole point; 0.58 points are {half} a year" in english and whole not in english
    assert "0,58 Punkte sind" in german
    items = pd.DataFrame({"item": ["a", "b"], "mean": [70.0, 90.0], "contribution": [0.5, 0.5]})
    priced = importance_map(items, 0.01, 1e6, interval=(0.005, 0.015), most=1.0).set_index("item")
    assert priced.loc["a", "points"] > 1 and np.isnan(priced.loc["a", ["worth", "worth_low"]].astype(float)).all()
    row = priced.loc["b"]
    assert 0 < row["worth_low"] < row["worth"] < row["worth_high"]


def test_the_first_year_is_said_only_of_an_effect_that_is_shown():
    panel, _ = simulate_panel(1, effect=(0.0,))
    fitted = link(panel)
    assert np.isnan(fitted.year_1()) and "first year" not in value_points(panel, fitted, grade="D").sentence()
    lasting, _ = simulate_panel(1, weeks=156, answers=600)
    found = link(lasting)
    assert 0.9 < found.year_1() < 1 and "in the first year" in value_points(lasting, found, grade="D").sentence()
    # A first delay that is all but taken back by the last gives no share of a year.
    back = found.coefficients.copy()
    back[:, 3] -= 0.95 * back.sum(axis=1)
    assert np.isnan(replace(found, coefficients=back).year_1())
    nothing = replace(found, coefficients=found.coefficients * 1e-3)
    assert "= 0.0% demand (95%: 0.0% to 0.0%)" in value_points(lasting, nothing, grade="D").sentence().replace(
        "+1 ", ""
    )


def test_closed_units_are_no_base_and_new_ones_are_scaled_up():
    panel, _ = simulate_panel(1, weeks=156)
    gone = {name: getattr(panel, name).copy() for name in ("score", "visits", "orders", "demand")}
    for values in gone.values():
        values[0, 100:] = np.nan  # closed more than a year ago
        values[1, 140:] = np.nan  # closed within the year
        values[2, :130] = np.nan  # opened within the year
    changed = replace(panel, **gone)
    levels = value_points(changed, link(changed), grade="C").levels.set_index("unit")
    assert "unit_000" not in levels.index
    for name in ("visits", "orders", "demand"):
        sold = getattr(panel, name)
        assert levels.loc["unit_001", name] == pytest.approx(sold[1, 104:140].sum())
        assert levels.loc["unit_002", name] == pytest.approx(sold[2, 130:].sum() * 2)
        assert levels.loc["unit_003", name] == pytest.approx(sold[3, 104:].sum())


def test_diversion_is_taken_off_where_it_is_known(value):
    panel, _ = simulate_panel(1, weeks=156)
    less = value_points(panel, link(panel), grade="C", diversion=0.5)
    ratio = less.parts()["change"].iloc[3] / value.parts()["change"].iloc[3]
    assert ratio == pytest.approx(0.5, abs=0.01) and "50% of the effect" in less.sentence()
    with pytest.raises(WaageError, match=r"diversion 1\.5 does not lie between 0 and 1"):
        value_points(panel, link(panel), grade="C", diversion=1.5)


SPANS = ("2024-03-04", "2024-06-03"), ("2025-01-06", "2025-06-02")


def test_moves_are_split_exactly_and_judged_by_their_noise():
    scores = demo_scores(SMALL)
    found = accounting(scores.contributions, scores.table, *SPANS)
    items = found[~found["part"].isin(["all", "mix"])].groupby("unit")["change"].sum()
    whole = found[found["part"] == "all"].set_index("unit")
    assert items.to_numpy() == pytest.approx(whole["change"].to_numpy(), abs=1e-10)
    moves = move_between(scores.table, *SPANS).set_index("unit")
    assert moves["move"].to_numpy() == pytest.approx(whole["change"].to_numpy())
    assert np.sqrt(moves["variance"]).to_numpy() == pytest.approx(whole["se"].to_numpy())
    assert (moves["moved"] == (moves["low"] * moves["high"] > 0)).all()


def test_johnson_and_lmg_agree_on_customer_satisfaction(shared_data):
    rows = pd.read_parquet(shared_data / "typology" / "customerSat.parquet")
    found = item_drivers(rows.iloc[:, 1:], rows.iloc[:, 0], resamples=60)
    assert found.r2 == pytest.approx(0.717, abs=0.0005)
    table = found.table
    assert (table["weight"] - table["lmg"]).abs().max() == pytest.approx(0.017, abs=0.001)
    assert table["weight"].sum() == pytest.approx(1) and table["lmg"].sum() == pytest.approx(1)
    assert ((table["low"] < table["weight"]) & (table["weight"] < table["high"])).all()


def test_relative_weights_of_independent_items_are_their_squared_correlations():
    correlation = np.eye(4)
    correlation[:3, 3] = correlation[3, :3] = [0.5, 0.3, 0.0]
    weights, r2 = johnson_weights(correlation)
    assert weights == pytest.approx([0.25, 0.09, 0.0]) and r2 == pytest.approx(0.34)
    assert lmg_weights(correlation) == pytest.approx([0.25, 0.09, 0.0])
    with pytest.raises(WaageError, match="up to 12"):
        lmg_weights(np.eye(15))
    with pytest.raises(Refusal, match="at least 20"):
        item_drivers(pd.DataFrame(np.ones((5, 2))), pd.Series(np.ones(5)))


def test_items_of_perception_explain_goal_attainment():
    people = demo_people(SMALL).head(5000)
    book = codebook(ITEMS)
    items = list(book.loc[book["construct"] == "perception", "item"])
    goal = people[list(book.loc[book["construct"] == "goal", "item"])].mean(axis=1)
    found = item_drivers(people[items], goal, resamples=30)
    assert found.summary["item"].iloc[0] in ("find", "ease") and found.plot(language="de").get_title()
    priced = importance_map(demo_scores(SMALL).items, 0.008, 1e9)
    assert priced["worth"].is_monotonic_decreasing and priced["weight"].sum() == pytest.approx(1)
    assert plot_importance_map(priced).get_ylabel()


def test_what_is_left_out_or_refused_is_said_in_german_too():
    panel, _ = simulate_panel(1, weeks=60)
    with pytest.raises(Refusal, match="at least 3 of each are needed") as caught:
        asymmetry(panel.between(0, 3))
    assert "mindestens je 3 sind nötig" in told(caught.value.args[0], "de")
    refused = unless_refused(item_drivers, pd.DataFrame(np.ones((5, 2))), pd.Series(np.ones(5)))
    assert not refused and told(refused.reason, "de").startswith("Treiber: 5 vollständige Antworten")
    merged = merge_units(panel, {unit: f"g{g // 2}" for g, unit in enumerate(panel.units)})
    said = small_linkage(merged, link(merged))
    said.panel, said.check_table = merged, pd.DataFrame({"verdict": [], "sentence": [], "sentence_de": []})
    assert cautions(said, "de") == ["24 Einheiten wurden zu 12 zusammengelegt"]
    assert cautions(said) == ["24 units were merged into 12"]


def test_the_link_can_start_after_a_break_of_the_response_rate():
    scores, sales = demo_scores(SMALL), demo_performance(SMALL)
    week = pd.to_datetime(scores.table["week"]).sort_values().unique()
    days = pd.date_range(week[0], periods=7 * len(week), freq="D")
    invited = pd.DataFrame({"day": days, "invited": 1000, "completed": np.where(days < week[20], 120, 60)})
    own = SimpleNamespace(scores=scores, invitations=invited, splits={}, units=scores.table[["unit"]])
    settings = {"blocks": (1,), "holdout_weeks": 10}
    assert "response rate breaks" in link_experience(own, sales, **settings).reasons[0]
    after = str(pd.Timestamp(week[20]).date())
    found = link_experience(own, sales, since=after, **settings)
    assert "response rate breaks" not in found.reasons[0]
    assert found.panel.units and np.isfinite(found.panel.score).any(axis=0)[found.panel.weeks < after].sum() == 0
    with pytest.raises(WaageError, match="since = 'spring' is no day"):
        link_experience(own, sales, since="spring")


def test_losses_and_gains_weigh_alike_where_they_do():
    found = [asymmetry(simulate_panel(seed, weeks=156)[0]).set_index("side") for seed in range(12)]
    means = sum(part["long_run"] for part in found) / len(found)
    # The error of the means is about .0004.
    assert means[["loss", "gain"]].to_numpy() == pytest.approx([0.007, 0.007], abs=0.0014)
    assert sum(part.loc["difference", "p_value"] < 0.05 for part in found) <= 3


def test_groups_of_linked_respondents():
    rng = np.random.default_rng(0)
    people = [f"p{i}" for i in range(300)]
    scores = pd.DataFrame({"person_id": [*people, *people[:50], None], "ix": rng.normal(70, 10, 351)})
    stage = np.where(np.arange(300) < 200, "active", np.where(np.arange(300) < 280, "new", "lapsed"))
    groups = pd.DataFrame({"person_id": people, "split": "lifecycle", "group": stage})
    found = ix_by_group(scores, groups)
    table = found.table.set_index("group")
    assert table.loc["active", "answers"] == 250 and table.loc["active", "persons"] == 200
    assert table.loc["active", "low"] < 70 < table.loc["active", "high"]
    assert np.isnan(table.loc["lapsed", "ix"])  # 20 persons, fewer than 30
    values = pd.DataFrame({"split": "lifecycle", "group": ["active", "new", "lapsed"], "value": [50.0, 20.0, 9.0]})
    valued = found.beside(values.assign(customers=[2000, 80, 20]))
    assert valued.plot("lifecycle").get_title() == "Lifecycle"
    table = valued.table.set_index("group")
    assert table.loc["active", "value"] == 50.0 and np.isnan(table.loc["lapsed", "value"])
    with pytest.raises(WaageError, match="did you mean 'lifecycle'"):
        valued.plot("lifecycles")
    with pytest.raises(WaageError, match="1 rows repeat a person"):
        ix_by_group(scores, pd.concat([groups, groups.head(1)]))


def test_persons_who_are_partly_in_a_group_count_in_part():
    rng = np.random.default_rng(1)
    people, truth = [f"p{i}" for i in range(4000)], rng.random(4000) < 0.5
    scores = pd.DataFrame({"person_id": people, "ix": np.where(truth, 80.0, 60.0) + rng.normal(0, 10, 4000)})
    long = pd.DataFrame({"person_id": people, "split": "type", "group": "type_1", "share": np.where(truth, 0.8, 0.2)})
    other = long.assign(group="type_2", share=1 - long["share"])
    table = ix_by_group(scores, pd.concat([long, other])).table.set_index("group")
    assert table["persons"].sum() == pytest.approx(4000)
    assert table.loc["type_1", "ix"] == pytest.approx(0.8 * 80 + 0.2 * 60, abs=1)
    assert table.loc["type_1", "low"] < 76 < table.loc["type_1", "high"]


def test_plans_say_what_they_could_show():
    plan = ix_plan((24,), (104,), (20, 150), panels=6)
    table = plan.table.set_index("answers")
    assert table.loc[20, "admitted"] < 0.5 and not table.loc[20, "enough"]
    assert table.loc[150, "smallest_effect"] == pytest.approx(0.0032, abs=0.0007)
    assert "24 units, 104 weeks and 150 answers" in plan.sentence() and "Mit 24 Einheiten" in plan.sentence("de")
    with pytest.raises(WaageError, match="at least 3 units"):
        ix_plan((2,), (104,), (150,))


def test_the_questionnaire_that_ships_is_a_codebook():
    items = questionnaire_items()
    assert list(codebook(items)["construct"].value_counts().index) == ["perception", "goal"]
    assert items[["label", "label_de"]].notna().all(axis=None) and items["item"].is_unique
    assert "90 Tagen" in questionnaire_text("de") and questionnaire()["version"] == "1"


def test_plans_and_the_questionnaire_from_the_command_line(tmp_path):
    from typer.testing import CliRunner

    from waage.cli import app

    run = CliRunner().invoke(app, ["ix-plan", "--units", "24", "--weeks", "52", "--answers", "15,150"])
    assert run.exit_code == 0 and "refused" in run.output and "With 24 units" in run.output
    assert CliRunner().invoke(app, ["ix-plan", "--units", "many"]).exit_code == 1
    file = tmp_path / "items.csv"
    assert CliRunner().invoke(app, ["ix-plan", "--items", str(file), "--form", "--language", "de"]).exit_code == 0
    assert len(codebook(pd.read_csv(file))) == 8


def test_both_currencies_have_their_zero_at_one_height():
    weekly = pd.DataFrame({"week": pd.date_range("2024-01-01", periods=5, freq="7D"), "points": [1, -2, 0, 1, 0.5]})
    weekly = weekly.assign(amount=1e4 * weekly["points"], amount_low=-3e4, amount_high=1e4)
    ax = plot_two_currencies(weekly, language="de")
    ends = [axis.get_ylim() for axis in ax.figure.axes]
    assert len(ends) == 2 and all(low == -high for low, high in ends) and "in Geld" in ax.get_title()


def test_the_item_that_moved_the_ix_its_way_is_named_and_not_one_against_it():
    parts = pd.DataFrame({"part": ["all", "mix", "find", "ease"], "change": [1.0, 0.0, -2.0, 3.0], "se": 0.1})
    assert "“Ease” contributed most (+3.00)" in why_finding(parts, {})
    against = parts.assign(change=[0.5, 0.0, -3.0, 3.5])
    assert "“Ease” contributed most (+3.50)" in why_finding(against, {})
    falling = parts.assign(change=[-1.0, 0.0, 4.0, -5.0])
    assert "“Ease” contributed most (−5.00)" in why_finding(falling, {})
    two = pd.DataFrame({"part": ["all", "a", "b", "c", "mix"], "change": [1.0, -3.0, 2.5, 1.5, 0.0], "se": 0.1})
    assert "“B” contributed most (+2.50)" in why_finding(two, {}), "a moved most, but the other way"


def small_linkage(panel, fitted, headline="eiv", **value):
    """A linkage as far as its sentences look."""
    worth = replace(value_points(panel, fitted, grade="D"), **value)
    estimates = pd.concat([fitted.summary, fitted.summary.assign(method="incident_iv", low=9.0, high=9.1)])
    return SimpleNamespace(
        value=worth,
        link=fitted,
        checks=SimpleNamespace(words=lambda language: "x"),
        effects=estimates.assign(headline=estimates["method"] == headline),
    )


def test_the_way_back_says_that_no_points_bring_an_amount_where_the_effect_is_not_above_0():
    panel, _ = simulate_panel(1, effect=(-0.004, -0.002, -0.001))
    found = small_linkage(panel, link(panel))
    assert "No number of points brings" in calculator_finding(found, 1.0, 0.0)
    assert "Keine Punktzahl bringt" in calculator_finding(found, 1.0, 0.0, "de")
    html = calculator(found.value.table(), {}, language="en")
    data = json.loads(html.split('class="ix-data">')[1].split("</script>")[0])
    assert not data["units"]["all"]["rises"] and "not above 0" in data["words"]["none"]
    assert "rarely (less than one week in twenty) or never" in calculator_finding(found, 50.0, 0.0)


def test_the_headline_is_what_is_held_against_the_truth_and_worth_needs_an_observed_move():
    panel, truth = simulate_panel(1, weeks=156)
    fitted = link(panel)
    real = pd.DataFrame({"outcome": list(truth.long_run), "long_run": list(truth.long_run.values())})
    real["shop_long_run"] = real["long_run"]
    said = truth_finding(small_linkage(panel, fitted), real)
    assert "estimate 4 weeks" in said and "nine" not in said and "0 of 4" not in said
    assert "0 of 4 intervals" in truth_finding(small_linkage(panel, fitted, "incident_iv"), real)
    line = pd.DataFrame({"week": pd.date_range("2024-01-01", periods=70, freq="7D"), "ix": 70.0, "variance": 0.1})
    told = {h["key"]: h["value"] for h in headlines(small_linkage(panel, fitted), line)}
    assert told["point_worth"] > 0
    told = {h["key"]: h["value"] for h in headlines(small_linkage(panel, fitted, support=(-0.6, 0.6)), line)}
    assert told["point_worth"] == "cannot be said"
