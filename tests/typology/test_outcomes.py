import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment

from waage import style
from waage.errors import Refusal, WaageError
from waage.typology.outcomes import outcomes_by_type

matplotlib.use("Agg")

NAMES = ["a", "b", "c"]
SHARES = np.array([0.4, 0.35, 0.25])
#: What an outcome's mean is in each type.
TRUTH = {
    "normal": np.array([0.0, 1.0, 2.0]),
    "spend": np.array([0.3, 0.5, 0.7]) * np.exp(0.5) * np.array([1.0, 2.0, 3.0]),
    "buys": np.array([0.1, 0.3, 0.6]),
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def items(seed, n=2000, gap=0.25):
    """Nine yes-no items of three types, and the posterior of the model they come from."""
    rng = np.random.default_rng(seed)
    types = rng.choice(3, n, p=SHARES)
    yes = np.where(np.arange(9) % 3 == np.arange(3)[:, None], 0.5 + gap, 0.5 - 0.6 * gap)
    x = rng.random((n, 9)) < yes[types]
    joint = np.exp(np.log(SHARES) + x @ np.log(yes).T + ~x @ np.log(1 - yes).T)
    return rng, types, x, joint / joint.sum(axis=1, keepdims=True)


def outcomes(rng, types):
    n = len(types)
    spend = (rng.random(n) < 0.3 + 0.2 * types) * rng.lognormal(0, 1, n) * (1 + types)
    return pd.DataFrame(
        {"normal": rng.normal(types, 1.0), "spend": spend, "buys": rng.random(n) < TRUTH["buys"][types]}
    )


def by_type(table, outcome, figure):
    return table.loc[table["outcome"] == outcome, figure].to_numpy()


@pytest.fixture(scope="module")
def seeds():
    """Two dozen surveys of 2,000 with posteriors of entropy about .5."""
    found = []
    for seed in range(24):
        rng, types, _, posterior = items(seed)
        frame = outcomes(rng, types)
        found.append(outcomes_by_type(posterior, np.ones(len(types)), frame, NAMES, resamples=80, seed=seed).table)
    return found


def test_the_simulation_has_the_entropy_of_the_published_one():
    entropy = [1 + (p * np.log(p)).sum() / len(p) / np.log(3) for p in (items(seed)[3] for seed in range(5))]
    assert np.mean(entropy) == pytest.approx(0.5, abs=0.05)


def test_correction_finds_the_true_means_where_naive_figures_miss_them(seeds):
    mean = sum(table.select_dtypes("number") for table in seeds) / len(seeds)
    mean = pd.concat([seeds[0][["outcome"]], mean], axis=1)
    # Two dozen surveys: the standard error of an average is about .015.
    assert by_type(mean, "normal", "bch") == pytest.approx(TRUTH["normal"], abs=0.05)
    assert by_type(mean, "normal", "ml") == pytest.approx(TRUTH["normal"], abs=0.1)
    for naive in ("modal", "soft"):
        off = np.abs(by_type(mean, "normal", naive) - TRUTH["normal"])
        assert off[0] >= 0.25 and off[2] >= 0.25
    # Zero-inflated, skewed spend: what ML with a normal outcome puts at 6.0 instead of 3.5.
    assert by_type(mean, "spend", "bch") == pytest.approx(TRUTH["spend"], abs=0.1)
    assert by_type(mean, "spend", "ml") == pytest.approx(TRUTH["spend"], abs=0.2)
    assert np.abs(by_type(mean, "spend", "modal") - TRUTH["spend"])[[0, 2]].min() > 0.4
    for figure in ("bch", "ml"):
        assert by_type(mean, "buys", figure) == pytest.approx(TRUTH["buys"], abs=0.02)
    assert (mean["negative"] < 1 / 3).all() and (mean["n_effective"] < mean["n"]).all()


def test_bootstrap_intervals_cover_the_truth(seeds):
    truth = np.concatenate([TRUTH[outcome] for outcome in ("normal", "spend", "buys")])
    inside = [(table["bch_low"] <= truth) & (truth <= table["bch_high"]) for table in seeds]
    # 24 surveys of 9 means, correlated within a survey.
    assert np.mean(inside) == pytest.approx(0.945, abs=0.045)


def fitted(x, y=None, **options):
    from stepmix import StepMix

    settings = {"measurement": "binary", "random_state": 0, "progress_bar": 0, "max_iter": 1000, "n_init": 4}
    return StepMix(3, **settings | options).fit(x, y)


def test_correction_holds_for_a_model_that_was_fitted():
    found = []
    for seed in range(10):
        rng, types, x, _ = items(seed)
        posterior = fitted(x.astype(float)).predict_proba(x.astype(float))
        _, order = linear_sum_assignment(-np.eye(3)[types].T @ posterior)
        frame = outcomes(rng, types)[["normal"]]
        found.append(outcomes_by_type(posterior[:, order], np.ones(2000), frame, NAMES, resamples=2).table)
    mean = sum(table[["bch", "ml", "modal"]] for table in found) / len(found)
    # Ten surveys: the standard error of an average is about .04. A fitted model is a little too sure of itself.
    assert mean["bch"].to_numpy() == pytest.approx(TRUTH["normal"], abs=0.1)
    assert (mean["modal"] - TRUTH["normal"]).abs().iloc[[0, 2]].min() >= 0.25


@pytest.mark.parametrize(("column", "structural"), [("normal", "gaussian_unit"), ("buys", "binary")])
@pytest.mark.parametrize(("assignment", "stepmix"), [("modal", "modal"), ("proportional", "soft")])
def test_bch_is_stepmix(column, structural, assignment, stepmix):
    rng, types, x, _ = items(1, 1200, gap=0.3)
    x, y = x.astype(float), outcomes(rng, types)[[column]].astype(float)
    sure = {"abs_tol": 1e-12, "rel_tol": 1e-12, "max_iter": 3000}
    three_steps = {"n_steps": 3, "correction": "BCH", "assignment": stepmix, "structural": structural}
    found = fitted(x, y.to_numpy(), **sure, **three_steps).get_parameters()["structural"]
    posterior = fitted(x, **sure).predict_proba(x)  # step two stands on the measurement model alone
    table = outcomes_by_type(posterior, np.ones(1200), y, NAMES, assignment=assignment, resamples=2).table
    theirs = np.sort(found["means" if column == "normal" else "pis"][:, 0])
    assert np.sort(table["bch"]) == pytest.approx(theirs, abs=1e-5)
    if column == "buys":
        # With as many free shares as there are equations ML solves what BCH solves.
        assert np.sort(table["ml"]) == pytest.approx(theirs, abs=1e-5)


def test_certain_posteriors_need_no_correction():
    rng, types, _, _ = items(2, 600)
    table = outcomes_by_type(np.eye(3)[types], np.ones(600), outcomes(rng, types), NAMES, resamples=2).table
    for figure in ("ml", "modal", "soft"):
        assert table[figure].to_numpy() == pytest.approx(table["bch"].to_numpy())
    assert (table["negative"] == 0).all() and table["n_effective"].to_numpy() == pytest.approx(table["n"].to_numpy())


def test_weights_go_with_their_respondents_into_the_bootstrap():
    rng, types, _, posterior = items(11, 900)
    frame = outcomes(rng, types)[["buys"]]
    table = outcomes_by_type(posterior, np.where(frame["buys"], 8.0, 1.0), frame, NAMES, resamples=50).table
    assert ((table["bch_low"] < table["bch"]) & (table["bch"] < table["bch_high"])).all()
    assert (table["base"] > 2 * frame["buys"].mean()).all()


def test_weights_count_as_repeated_rows():
    rng, types, _, posterior = items(3, 600)
    frame, times = outcomes(rng, types)[["normal", "buys"]], rng.integers(1, 4, 600)
    rows = np.repeat(np.arange(600), times)
    weighted = outcomes_by_type(posterior, times, frame, NAMES, resamples=2).table
    repeated = outcomes_by_type(posterior[rows], np.ones(len(rows)), frame.iloc[rows], NAMES, resamples=2).table
    for figure in ("bch", "ml", "modal", "soft", "base"):
        assert weighted[figure].to_numpy() == pytest.approx(repeated[figure].to_numpy(), abs=1e-5)


def test_the_order_of_respondents_and_of_types_changes_nothing_else():
    rng, types, _, posterior = items(4, 600)
    frame, weights = outcomes(rng, types), rng.uniform(0.5, 2, 600)
    table = outcomes_by_type(posterior, weights, frame, NAMES, resamples=20).table
    other = outcomes_by_type(posterior[:, [2, 0, 1]], weights, frame, ["c", "a", "b"], resamples=20).table
    key = ["outcome", "type"]
    pd.testing.assert_frame_equal(table.sort_values(key, ignore_index=True), other.sort_values(key, ignore_index=True))
    rows = rng.permutation(600)
    again = outcomes_by_type(posterior[rows], weights[rows], frame.iloc[rows], NAMES, resamples=20).table
    fixed = ["bch", "ml", "modal", "soft", "base", "n"]  # a seed draws other respondents for the intervals
    assert again[fixed].to_numpy() == pytest.approx(table[fixed].to_numpy(), abs=1e-5)


def test_units_do_not_matter_and_the_seed_fixes_the_intervals():
    rng, types, _, posterior = items(5, 600)
    spend = outcomes(rng, types)[["spend"]]
    euros = outcomes_by_type(posterior, np.ones(600), spend, NAMES, resamples=20).table
    cents = outcomes_by_type(posterior, np.ones(600), spend * 100, NAMES, resamples=20).table
    for figure in ("bch", "bch_low", "ml", "ml_high", "modal"):
        assert cents[figure].to_numpy() == pytest.approx(100 * euros[figure].to_numpy(), rel=1e-6)
    again = outcomes_by_type(posterior, np.ones(600), spend, NAMES, resamples=20)
    pd.testing.assert_frame_equal(euros, again.table)
    assert not outcomes_by_type(posterior, np.ones(600), spend, NAMES, resamples=20, seed=8).table.equals(euros)


def test_a_mean_outside_the_data_is_flagged_and_ml_preferred():
    _, types, _, posterior = items(6, 500, gap=0.17)
    result = outcomes_by_type(posterior, np.ones(500), pd.DataFrame({"buys": types == 2}), NAMES, resamples=50)
    flagged = result.table[result.table["preferred"] == "ml"]
    outside = (result.table["bch"] < 0) | (result.table["bch"] > 1)
    assert outside.any() and set(result.table.index[outside]) <= set(flagged.index)
    assert result.table[["ml", "ml_low", "ml_high"]].stack().between(0, 1).all()
    assert result.summary.loc[flagged.index, "mean"].equals(flagged["ml"].rename("mean"))


def test_a_refit_widens_the_intervals_and_is_recorded():
    rng, types, _, posterior = items(7, 1000)
    frame = outcomes(rng, types)[["normal"]]

    def refit(rows):
        # As if the model, fitted anew, moved the types' sizes.
        again = posterior[rows] * np.exp(0.5 * rng.normal(size=3))
        return again / again.sum(axis=1, keepdims=True)

    fixed = outcomes_by_type(posterior, np.ones(1000), frame, NAMES, resamples=100)
    moved = outcomes_by_type(posterior, np.ones(1000), frame, NAMES, resamples=100, refit=refit)
    assert moved.refitted and not fixed.refitted
    width = [(result.table["bch_high"] - result.table["bch_low"]).mean() for result in (fixed, moved)]
    assert width[1] > 1.1 * width[0]
    with pytest.raises(WaageError, match=r"shape \(5, 3\) instead of \(1000, 3\)"):
        outcomes_by_type(posterior, np.ones(1000), frame, NAMES, refit=lambda rows: posterior[:5])


def test_missing_outcomes_and_small_types():
    rng, types, _, posterior = items(8, 600)
    frame = outcomes(rng, types)
    frame.loc[:399, "normal"] = np.nan
    table = outcomes_by_type(posterior, np.ones(600), frame, NAMES, resamples=20, min_cell=100).table
    normal = table[table["outcome"] == "normal"]
    assert normal["bch"].isna().any() and table.loc[table["outcome"] == "buys", "bch"].notna().all()
    assert normal.loc[normal["bch"].isna(), ["ml", "modal", "bch_low", "n", "preferred"]].isna().all(axis=None)


def test_bad_input_is_named():
    _, types, _, posterior = items(9, 200)
    frame = pd.DataFrame({"x": np.arange(200.0)})
    call = {"weights": np.ones(200), "names": NAMES, "resamples": 2}
    with pytest.raises(WaageError, match="'y' is str, not a number; 'z' has infinite values or no values"):
        outcomes_by_type(posterior, outcomes=frame.assign(y="text", z=np.nan), **call)
    with pytest.raises(WaageError, match="neither 'modal' nor 'proportional'"):
        outcomes_by_type(posterior, outcomes=frame, assignment="soft", **call)
    with pytest.raises(Refusal, match="'a' and 'b' cannot be told apart"):
        outcomes_by_type(np.column_stack([np.full((200, 2), 0.3), np.full(200, 0.4)]), outcomes=frame, **call)
    sorted_away = np.where(np.arange(3) == 2, 0.1, np.eye(3)[types % 2] * 0.8 + 0.05)
    with pytest.raises(Refusal, match="nobody is sorted into 'c'"):
        outcomes_by_type(sorted_away, outcomes=frame, assignment="modal", **call)


def test_the_chart_sets_the_naive_figure_beside_the_corrected_one():
    rng, types, _, posterior = items(10, 800)
    result = outcomes_by_type(posterior, np.ones(800), outcomes(rng, types), NAMES, resamples=20)
    ax = result.plot("buys", language="de", label="Käufer", kind="share")
    assert ax.get_title() == "Käufer nach Typ"
    texts = [text.get_text() for text in ax.texts]
    assert style.percent(result.summary.query("outcome == 'buys'")["mean"].iloc[0], "de") in texts
    drawn = {tuple(np.round(np.asarray(line.get_xdata(), dtype=float), 9)) for line in ax.lines}
    assert tuple(np.round(by_type(result.table, "buys", "modal"), 9)) in drawn
    assert tuple(np.round(by_type(result.table, "buys", "bch"), 9)) in drawn
    with pytest.raises(WaageError, match="did you mean 'spend'"):
        result.plot("spent")
