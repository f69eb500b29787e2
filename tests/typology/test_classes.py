"""Latent classes against published log-likelihoods, identities and StepMix' own posterior."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from waage.errors import Refusal, WaageError
from waage.typology.classes import Classes, fit_classes

# Landis and Koch (1977), seven pathologists on 118 slides, as in poLCA: 20 patterns and their counts.
CARCINOMA = """0000000 34|0000100 2|0100000 6|0100001 1|0100100 4|0100101 5|1000000 2|1010101 1|1100000 2|1100001 1
1100100 2|1100101 7|1100111 1|1101001 1|1101101 2|1101111 3|1110101 13|1110111 5|1111101 10|1111111 16"""


@pytest.fixture(scope="module")
def carcinoma():
    rows = [pair.split() for pair in CARCINOMA.replace("\n", "|").split("|")]
    table = pd.DataFrame([list(map(int, pattern)) for pattern, _ in rows], columns=list("ABCDEFG"))
    return table.loc[table.index.repeat([int(n) for _, n in rows])].reset_index(drop=True)


def binary(answers):
    return dict.fromkeys(answers, "binary")


def simulate(n, seed=0, kinds=("binary", "categorical", "gaussian"), gaps=0.0):
    """Draw three classes of sizes .5 .3 .2 on two items a kind each, well apart."""
    rng = np.random.default_rng(seed)
    true = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    columns, of = {}, {}
    for kind in kinds:
        for j in range(3):
            name, turned = f"{kind[0]}{j}", (true + j) % 3
            if kind == "binary":
                columns[name] = (rng.random(n) < np.array([0.1, 0.5, 0.9])[turned]).astype(float)
            elif kind == "categorical":
                p = np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]])[turned]
                level = (rng.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(max=2)
                columns[name] = np.array(["low", "middle", "top"], dtype=object)[level]
            else:
                columns[name] = rng.normal(np.array([-1.5, 0.0, 1.5])[turned], 0.8)
            of[name] = kind
    answers = pd.DataFrame(columns)
    return answers.mask(rng.random(answers.shape) < gaps), of, true


def test_carcinoma(carcinoma):
    assert carcinoma.shape == (118, 7)
    two = fit_classes(carcinoma, binary(carcinoma), 2, n_init=10)
    assert two.loglik == pytest.approx(-317.257, abs=0.001)
    assert (two.aic, two.bic) == pytest.approx((664.51, 706.07), abs=0.01)
    three = fit_classes(carcinoma, binary(carcinoma), 3, n_init=30)
    assert three.loglik == pytest.approx(-293.705, abs=0.001)
    assert three.n_parameters == 23
    assert three.bic == pytest.approx(697.14, abs=0.01)
    assert three.shares == pytest.approx([0.4447, 0.3736, 0.1817], abs=1e-4)


@pytest.mark.slow
def test_mcdonalds(shared_data):
    path = shared_data / "typology" / "mcdonalds.parquet"
    answers = pd.read_parquet(path).iloc[:, :11].eq("Yes").astype(float)
    spread = np.linalg.svd(answers - answers.mean(), compute_uv=False) ** 2
    assert spread[:5] / spread.sum() == pytest.approx([0.2994, 0.1928, 0.1330, 0.0831, 0.0595], abs=5e-5)
    published = {2: -7610.84, 3: -7311.48, 4: -7111.11, 5: -7011.17}
    found = {k: fit_classes(answers, binary(answers), k, n_init=20) for k in published}
    assert {k: model.loglik for k, model in found.items()} == pytest.approx(published, abs=0.01)
    # flexmix' convention and the one with twice the entropy
    assert found[4].icl_modal == pytest.approx(14834, abs=3)
    assert found[4].icl == pytest.approx(15119, abs=3)


def test_weights_equal_replicated_rows():
    answers, kinds, _ = simulate(150, gaps=0.05)
    times = np.random.default_rng(1).integers(1, 4, len(answers))
    weighted = fit_classes(answers, kinds, 3, weights=times, n_init=4, n_final=4, tolerance=1e-11)
    rows = fit_classes(answers.loc[answers.index.repeat(times)], kinds, 3, n_init=4, n_final=4, tolerance=1e-11)
    assert weighted.shares == pytest.approx(rows.shares, abs=1e-4)
    # weights are scaled to the respondents: the log-likelihood is that of 150, not of 300
    assert weighted.loglik / 150 == pytest.approx(rows.loglik / times.sum(), abs=1e-6)
    assert weighted.bic == pytest.approx(-2 * weighted.loglik + weighted.n_parameters * np.log(150))


@pytest.mark.parametrize("gaps", [0.0, 0.15])
def test_posterior_equals_stepmix(gaps):
    from stepmix.stepmix import StepMix

    from waage.typology.classes import _coding, _design

    answers, kinds, _ = simulate(300, gaps=gaps)
    model = fit_classes(answers, kinds, 3, n_init=1, seed=4)
    coding = _coding(answers, kinds)
    matrix, blocks = _design(answers, coding)
    # StepMix' own emissions; its gaussian without gaps adds 1e-6 to variances, the other one is exact.
    descriptor = {kind: {"model": f"{kind}_nan", "n_columns": columns} for kind, (columns, _) in blocks.items()}
    descriptor["gaussian"]["model"] = "gaussian_diag_nan"
    levels = sum(len(code.get("levels", [])) for code in coding.values())
    wide = {"max_n_outcomes": blocks["categorical"][1], "total_outcomes": levels}
    descriptor["categorical"] |= {"integer_codes": False, **wide}
    seed = int(np.random.SeedSequence(4).generate_state(1)[0])
    theirs = StepMix(3, measurement=descriptor, random_state=seed, abs_tol=1e-8, progress_bar=0, verbose=0)
    theirs.fit(matrix)
    order = np.argsort(-theirs.weights_)
    assert np.abs(model.posterior - theirs.predict_proba(matrix)[:, order]).max() < 1e-8
    assert model.loglik == pytest.approx(theirs.score(matrix) * 300, abs=1e-8)
    assert model.n_parameters == theirs.n_parameters


def test_missing_answers_by_fiml():
    answers, kinds, true = simulate(800, gaps=0.25)
    assert not answers.notna().all(axis=1).mean() > 0.2  # complete rows alone would be few
    model = fit_classes(answers, kinds, 3, n_init=5)
    assert model.shares == pytest.approx([0.5, 0.3, 0.2], abs=0.05)
    assert adjusted_rand_score(true, model.posterior.argmax(axis=1)) > 0.7
    nothing = pd.DataFrame(np.nan, index=[0], columns=answers.columns)
    assert model.predict(nothing)[0] == pytest.approx(model.shares)
    nothing["c0"] = "never heard of"
    assert model.predict(nothing)[0] == pytest.approx(model.shares)


def test_stored_as_json_without_persons():
    answers, kinds, _ = simulate(200)
    model = fit_classes(answers, kinds, 3, n_init=3)
    text = json.dumps(model.to_dict())
    again = Classes.from_dict(json.loads(text))
    assert np.array_equal(again.predict(answers), model.posterior)
    assert again.posterior is None and len(text) < 5000
    pd.testing.assert_series_equal(again.summary, model.summary)
    with pytest.raises(WaageError, match="version 1"):
        Classes.from_dict({"model": "latent_classes", "version": 2})


def test_deterministic_by_seed_and_by_processes():
    answers, kinds, _ = simulate(200)
    one, again = (fit_classes(answers, kinds, 3, n_init=4, seed=3) for _ in range(2))
    assert one.to_dict() == again.to_dict()
    two = fit_classes(answers, kinds, 3, n_init=4, seed=3, n_jobs=2)
    assert two.posterior == pytest.approx(one.posterior, abs=1e-10)


def test_classes_come_by_size_and_keep_their_ids_between_refits():
    answers, kinds, _ = simulate(600)
    first = fit_classes(answers, kinds, 3, n_init=4)
    assert (np.diff(first.shares) <= 0).all() and first.ids == (1, 2, 3)
    # In the second wave the smallest class has grown to be the largest.
    sure = first.posterior.argmax(axis=1)
    wave = answers.loc[np.repeat(answers.index, np.where(sure == 2, 6, 1))]
    later = fit_classes(wave, kinds, 3, n_init=4, seed=9)
    matched = later.matched(first)
    assert matched.ids == (1, 2, 3) and matched.shares.argmax() == 2
    assert adjusted_rand_score(sure, matched.predict(answers).argmax(axis=1)) > 0.95
    assert (matched.predict(answers).argmax(axis=1) == sure).mean() > 0.95
    # Fewer and more classes: kept ids stay, new ones are free numbers.
    assert set(fit_classes(wave, kinds, 2, n_init=4).matched(first).ids) < {1, 2, 3}
    assert fit_classes(wave, kinds, 4, n_init=4).matched(first).ids == (1, 2, 3, 4)


def test_bivariate_residuals_find_the_item_asked_twice():
    answers, kinds, _ = simulate(800)
    answers["b0_again"] = answers.b0.mask(np.random.default_rng(0).random(800) < 0.1, 1 - answers.b0)
    model = fit_classes(answers, kinds | {"b0_again": "binary"}, 3, n_init=5)
    table = model.bivariate_residuals(answers)
    assert len(table) == 45
    assert {table.item_a[0], table.item_b[0]} == {"b0", "b0_again"}
    assert table.residual[0] > 50 and table.residual[1:].median() < 1


def test_bivariate_residual_of_one_class_is_pearsons_chi_squared():
    from scipy.stats import chi2_contingency

    answers, kinds, _ = simulate(300, kinds=("categorical",))
    model = fit_classes(answers, kinds, 1, n_init=1)
    table = model.bivariate_residuals(answers).set_index(["item_a", "item_b"]).residual
    expected = chi2_contingency(pd.crosstab(answers.c0, answers.c1)).statistic / 4
    assert table["c0", "c1"] == pytest.approx(expected)


def test_refusals_and_faults():
    answers, kinds, _ = simulate(100)
    with pytest.raises(Refusal, match="b0, c1: all respondents gave the same answer"):
        fit_classes(answers.assign(b0=1.0, c1="low"), kinds, 2)
    with pytest.raises(Refusal, match="parameters, more than the 20"):
        fit_classes(answers.head(20), kinds, 3)
    with pytest.raises(WaageError, match="did you mean 'gaussian'"):
        fit_classes(answers, kinds | {"g0": "gausian"}, 2)
    with pytest.raises(WaageError, match="1 answers are neither 0 nor 1, such as 7"):
        fit_classes(answers.assign(b0=[7.0, *answers.b0[1:]]), kinds, 2)
    with pytest.raises(WaageError, match="100 positive numbers"):
        fit_classes(answers, kinds, 2, weights=np.zeros(100))
    model = fit_classes(answers, kinds, 2, n_init=2)
    with pytest.raises(WaageError, match="lack the items b0"):
        model.predict(answers.drop(columns="b0"))


def test_more_classes_than_the_answers_carry():
    # Two kinds of respondents without any noise: a third class has nobody or sits on a single answer.
    answers = pd.DataFrame({"g0": [0.0, 1.0] * 60, "g1": [1.0, 0.0] * 60})
    with pytest.raises(Refusal, match="3 classes are more than the answers of 120 respondents"):
        fit_classes(answers, dict.fromkeys(answers, "gaussian"), 3, n_init=3)
