import matplotlib
import numpy as np
import pandas as pd
import pytest

from waage.errors import Refusal, WaageError
from waage.typology.profiles import profile_types

matplotlib.use("Agg")

NAMES = ["planners", "hunters", "loyalists"]
FIGURES = ["value", "base", "index", "difference"]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def survey(seed, n, shares=(0.55, 0.3, 0.15)):
    """True types, a calibrated posterior of middling certainty, and weights that vary."""
    rng = np.random.default_rng(seed)
    types = rng.choice(len(shares), n, p=shares)
    score = np.log(shares) + rng.normal(size=(n, len(shares))) * 1.2 + 2.2 * np.eye(len(shares))[types]
    posterior = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    return rng, types, posterior, np.exp(0.5 * rng.normal(size=n))


def answers(rng, types, weights):
    """Answers that depend on the type and on what the weights depend on."""
    yes = np.array([0.3, 0.5, 0.2])[types] * np.where(weights > 1, 1.2, 0.8)
    return pd.DataFrame(
        {
            "yes": rng.random(len(types)) < yes,
            "rare": rng.random(len(types)) < np.array([0.05, 0.02, 0.08])[types],
            "mean": rng.normal(size=len(types)) + 0.5 * types,
            "level": rng.choice(["a", "b", "c"], len(types)),
        }
    )


@pytest.fixture(scope="module")
def case():
    rng, types, posterior, weights = survey(3, 900)
    return posterior, weights, answers(rng, types, weights)


def test_hard_posteriors_are_plain_group_shares_and_means(case):
    posterior, _, frame = case
    hard = np.eye(3)[posterior.argmax(axis=1)]
    table = profile_types(hard, np.ones(len(frame)), frame, NAMES).table
    table = table.set_index(["type", "variable", "level"]).sort_index()
    groups = frame.groupby(posterior.argmax(axis=1))
    for k, name in enumerate(NAMES):
        assert table.loc[(name, "yes", "yes"), "value"] == pytest.approx(groups["yes"].mean()[k])
        assert table.loc[(name, "mean", ""), "value"] == pytest.approx(groups["mean"].mean()[k])
        assert table.loc[(name, "level", "b"), "value"] == pytest.approx((frame.level == "b")[hard[:, k] == 1].mean())
        assert (table.loc[name, "n"] == hard[:, k].sum()).all()
        assert table.loc[name, "effective_n"].to_numpy() == pytest.approx(hard[:, k].sum())
    # Unweighted and hard, the interval of a mean is Student's.
    group = frame["mean"][hard[:, 0] == 1]
    half = 1.9652 * group.std() / np.sqrt(len(group))
    row = table.loc[("planners", "mean", "")]
    assert row["high"] - row["low"] == pytest.approx(2 * half, rel=0.002)


def test_index_is_value_over_base_and_types_average_to_the_base(case):
    posterior, weights, frame = case
    table = profile_types(posterior, weights, frame, NAMES).table
    shares = dict(zip(NAMES, weights @ posterior / weights.sum(), strict=True))
    table["part"] = table["value"] * table["type"].map(shares)
    again = table.groupby(["variable", "level"])[["part", "base"]].agg({"part": "sum", "base": "first"})
    assert again["part"].to_numpy() == pytest.approx(again["base"].to_numpy())
    shown = table[table["kind"] != "numeric"]
    assert shown["index"].to_numpy() == pytest.approx((100 * shown["value"] / shown["base"]).to_numpy())
    assert table.loc[table["kind"] == "numeric", "index"].isna().all()
    for low, value, high in (("low", "value", "high"), ("index_low", "index", "index_high")):
        assert ((shown[low] <= shown[value]) & (shown[value] <= shown[high])).all()
    levels = table[table["variable"] == "level"].groupby("type")["value"].sum()
    assert levels.to_numpy() == pytest.approx(1)
    assert table["base"].iloc[0] == pytest.approx(np.average(frame["yes"], weights=weights))


def test_weights_count_as_repeated_rows_and_their_scale_is_free(case):
    posterior, _, frame = case
    times = np.random.default_rng(1).integers(1, 4, len(frame))
    weighted = profile_types(posterior, times, frame, NAMES).table
    rows = np.repeat(np.arange(len(frame)), times)
    repeated = profile_types(posterior[rows], np.ones(len(rows)), frame.iloc[rows], NAMES).table
    assert weighted[FIGURES[:3]].to_numpy() == pytest.approx(repeated[FIGURES[:3]].to_numpy(), nan_ok=True)
    # Nobody was asked three times: repeated rows look surer than they are.
    assert (weighted["effective_n"] < repeated["effective_n"]).all()
    scaled = profile_types(posterior, times * 1000.0, frame, NAMES).table
    pd.testing.assert_frame_equal(scaled, weighted)


def test_the_order_of_respondents_and_of_types_changes_nothing_else(case):
    posterior, weights, frame = case
    table = profile_types(posterior, weights, frame, NAMES).table
    rows = np.random.default_rng(2).permutation(len(frame))
    other = profile_types(posterior[rows][:, [2, 0, 1]], weights[rows], frame.iloc[rows], [NAMES[k] for k in (2, 0, 1)])
    key = ["type", "variable", "level"]
    pd.testing.assert_frame_equal(
        table.sort_values(key, ignore_index=True), other.table.sort_values(key, ignore_index=True)
    )
    assert list(other.table["type"].unique()) == ["loyalists", "planners", "hunters"]


def test_intervals_cover_what_the_whole_population_shows():
    rng, types, posterior, weights = survey(1, 200_000)
    frame = answers(rng, types, weights)
    truth = profile_types(posterior, weights, frame, NAMES).table
    hits = []
    for seed in range(100):
        rows = np.random.default_rng(seed).integers(len(types), size=700)
        table = profile_types(posterior[rows], weights[rows], frame.iloc[rows], NAMES, min_cell=1).table
        pairs = (("value", "low", "high"), ("index", "index_low", "index_high"))
        pairs += (("difference", "difference_low", "difference_high"),)
        inside = [(table[low] <= truth[value]) & (truth[value] <= table[high]) for value, low, high in pairs]
        hits.append(np.where(truth[["value", "index", "difference"]].isna(), np.nan, np.column_stack(inside)))
    covered = np.mean(hits, axis=0)
    # 100 samples: the standard error of one coverage is .02, of the mean over rows well below .01.
    assert np.nanmean(covered, axis=0) == pytest.approx(0.955, abs=0.02)
    assert np.nanmin(covered) > 0.87


def test_closed_form_intervals_are_as_wide_as_a_bootstrap_of_respondents(case):
    posterior, weights, frame = case
    table = profile_types(posterior, weights, frame, NAMES).table
    rng, drawn = np.random.default_rng(4), []
    for _ in range(120):
        rows = rng.integers(len(frame), size=len(frame))
        drawn.append(profile_types(posterior[rows], weights[rows], frame.iloc[rows], NAMES).table[FIGURES].to_numpy())
    errors = pd.DataFrame(np.std(drawn, axis=0), columns=FIGURES)
    for name, low, high in (
        ("value", "low", "high"),
        ("index", "index_low", "index_high"),
        ("difference", "difference_low", "difference_high"),
    ):
        ratio = (table[high] - table[low]) / (2 * 1.96 * errors[name])
        assert ratio.median() == pytest.approx(1, abs=0.06)
        # Wilson's interval of a rare answer is wider on purpose.
        assert ratio.dropna().between(0.85, 1.45).all()


def test_noise_is_seldom_called_a_finding():
    any_found, p = [], []
    for seed in range(100):
        rng, _, posterior, weights = survey(seed, 500)
        frame = pd.DataFrame({f"yes_{share}": rng.random(500) < share for share in (0.5, 0.3, 0.1, 0.03)})
        # What the weights know the answers may know, too, without a difference between the types.
        frame["weighty"] = rng.random(500) < 0.3 * np.where(weights > 1, 1.3, 0.7)
        frame["spend"] = rng.lognormal(0, 1, 500)
        table = profile_types(posterior, weights, frame, NAMES).table
        any_found.append((table["q"] < 0.05).any())
        p.append(table["p"].to_numpy())
    # Under the null each false statement is a false discovery: their rate is the share of surveys with any.
    assert np.mean(any_found) <= 0.05 + 0.04
    rate = np.mean(np.array(p) < 0.05)
    assert 0.015 < rate < 0.06, "a test that never speaks holds its level, too"


def test_a_true_difference_is_found_with_its_direction():
    rng, types, posterior, weights = survey(5, 1500)
    result = profile_types(posterior, weights, answers(rng, types, weights), NAMES)
    told = result.statements("hunters")
    row = told.set_index("variable").loc["yes"]
    assert row["index"] > 110 and row["index_low"] > 100 and row["statistic"] > 0
    assert "level" not in set(told["variable"])
    summary = result.summary.set_index("type")
    assert (summary["over"] + summary["under"] == summary["statements"]).all()
    with pytest.raises(WaageError, match="did you mean 'hunters'"):
        result.statements("hunter")


def test_small_cells_are_hidden_and_cannot_be_had_from_the_total(case):
    _, weights, frame = case
    small = np.zeros((len(frame), 4))
    small[:, :3] = np.eye(3)[np.arange(len(frame)) % 3]
    small[:20] = [0, 0, 0, 1]
    table = profile_types(small, weights, frame, [*NAMES, "few"]).table
    hidden = table[table["value"].isna()]
    # The smallest of the others goes with it: three types and the total would give the fourth away.
    assert "few" in set(hidden["type"]) and hidden["type"].nunique() == 2
    assert hidden[["n", "index", "q", "p", "low", "statistic"]].isna().all(axis=None)
    ax = profile_types(small, weights, frame, [*NAMES, "few"]).plot_heatmap(language="de")
    assert shown(ax).count("verdeckt") == 2 * len(ax.get_yticklabels())
    assert profile_types(small, weights, frame, [*NAMES, "few"], min_cell=1).table["value"].notna().all()


def test_missing_answers_constants_and_kinds(case):
    posterior, weights, frame = case
    frame = frame.assign(same=1.0, never=False, stage=pd.Categorical(frame["level"], ["c", "b", "a", "unused"]))
    frame.loc[frame.index[:300], "mean"] = np.nan
    result = profile_types(posterior, weights, frame, NAMES)
    table = result.table.set_index(["variable", "level", "type"]).sort_index()
    assert table.loc[("mean", "", "planners"), "n"] == pytest.approx(posterior[300:, 0].sum())
    assert not {"same", "never"} & set(result.table["variable"]), "nobody who said otherwise: nothing to tell"
    first = result.table[(result.table["type"] == "planners") & (result.table["variable"] == "stage")]
    assert list(first["level"]) == ["c", "b", "a"]


def test_bad_input_is_named():
    posterior, weights = np.full((4, 2), 0.5), np.ones(4)
    good = pd.DataFrame({"x": [1, 2, 3, 4]})
    with pytest.raises(WaageError, match=r"row 2 is \[0.9, 0.9\]"):
        profile_types(np.array([[0.5, 0.5]] * 2 + [[0.9, 0.9]] + [[0.5, 0.5]]), weights, good, ["a", "b"])
    with pytest.raises(WaageError, match=r"shapes .*4 rows.*weights: 1 are not above 0, first -1"):
        profile_types(posterior[:3], np.array([1, 1, 1, -1]), good, ["a", "b"])
    with pytest.raises(WaageError, match="two at least, each with its own"):
        profile_types(posterior, weights, good, ["a", "a"])
    with pytest.raises(WaageError, match="'gone' has no answers"):
        profile_types(posterior, weights, good.assign(gone=np.nan), ["a", "b"])
    with pytest.raises(WaageError, match="'x' has infinite"):
        profile_types(posterior, weights, good.astype(float).replace(1, np.inf), ["a", "b"])
    with pytest.raises(WaageError, match="'day' is datetime"):
        profile_types(posterior, weights, good.assign(day=pd.Timestamp("2025-01-01")), ["a", "b"])


def shown(ax):
    return [text.get_text() for text in ax.texts]


def test_the_heat_map_writes_every_cell_and_hides_what_is_hidden(case):
    posterior, weights, frame = case
    result = profile_types(posterior, weights, frame, NAMES)
    ax = result.plot_heatmap(language="de", labels={"yes": "Ja, gern"})
    assert len(shown(ax)) == 18 and "Ja, gern" in [label.get_text() for label in ax.get_yticklabels()]
    row = result.table.query("type == 'hunters' and variable == 'yes'").iloc[0]
    assert f"{row['index']:.0f}" in shown(ax)
    assert len(shown(result.plot_heatmap(most=2, measure="z"))) == 6
    unsure = [patch for patch in ax.patches if matplotlib.colors.to_hex(patch.get_facecolor()) == "#ffffff"]
    assert len(unsure) == (result.table["q"] >= 0.05).sum()
    with pytest.raises(WaageError, match="neither 'index' nor 'z'"):
        result.plot_heatmap(measure="p")
    with pytest.raises(Refusal, match="no variable has 5000 respondents"):
        profile_types(posterior, weights, frame, NAMES, min_cell=5000)


def test_an_answer_that_all_or_none_of_a_type_gave_has_no_wider_interval_than_its_base():
    rng = np.random.default_rng(4)
    kind = rng.integers(0, 3, 900)
    frame = pd.DataFrame({"all": (kind == 0).astype(float), "mixed": rng.integers(0, 2, 900).astype(float)})
    table = profile_types(np.eye(3)[kind], np.ones(900), frame, NAMES).table.set_index(["type", "variable"])
    for name in NAMES:
        row = table.loc[(name, "all")]
        assert row.difference_low < row.difference < row.difference_high
        assert row.difference_high - row.difference_low < 0.35, "about four standard errors of the base"
    width = table.difference_high - table.difference_low
    assert (width.xs("all", level=1) < 1.5 * width.xs("mixed", level=1)).all()


def test_what_few_said_is_nobodys_answer(case):
    posterior, weights, frame = case
    rare = pd.Series("city", frame.index, dtype=object)
    rare.iloc[:40], rare.iloc[40:52], rare.iloc[52:55] = "village", "houseboat, with Anna", "lighthouse"
    few = pd.Series(np.nan, frame.index).mask(np.arange(len(frame)) < 12, 1.0)
    table = profile_types(posterior, weights, frame.assign(home=rare, few=few), NAMES).table
    assert set(table[table.variable == "home"].level) == {"city", "village"}, "12 and 3 are too few even together"
    assert "few" not in set(table.variable)
    rare.iloc[52:75] = "lighthouse"
    table = profile_types(posterior, weights, frame.assign(home=rare), NAMES).table
    assert set(table[table.variable == "home"].level) == {"city", "village", "other"}


def test_bars_show_the_surest_statements_or_say_that_there_are_none(case):
    posterior, weights, frame = case
    result = profile_types(posterior, weights, frame, NAMES)
    ax = result.plot_bars("hunters")
    told = result.statements("hunters")
    assert sorted(patch.get_width() for patch in ax.patches) == pytest.approx(sorted(told["difference"]))
    assert any("Index" in text and "(all: " in text for text in shown(ax))
    noise = pd.DataFrame({"noise": np.arange(len(frame)) % 2})
    ax = profile_types(posterior, weights, noise, NAMES).plot_bars("hunters", language="de")
    assert shown(ax) == ["Nichts lässt sich mit Sicherheit sagen"]
