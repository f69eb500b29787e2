"""How many types: what is there is found, what is not there is called constructed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from waage.errors import Refusal, WaageError
from waage.typology.choice import choose_k
from waage.typology.comparators import compare_kmeans

FAST = {"n_init": 8, "n_bootstrap": 6, "bootstrap_init": 4, "n_jobs": 2}


def three_types(n=600, seed=0, spread=0.6):
    rng = np.random.default_rng(seed)
    true = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    centres = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 1]]) * 2.0
    scores = centres[true] + spread * rng.standard_normal((n, 4))
    ticks = rng.random((n, 3)) < np.where(np.eye(3)[true] > 0, 0.85, 0.15)
    answers = pd.DataFrame(np.hstack([scores, ticks]), columns=["g0", "g1", "g2", "g3", "b0", "b1", "b2"])
    return answers, {item: "gaussian" if item[0] == "g" else "binary" for item in answers}, true


@pytest.fixture(scope="module")
def clear():
    answers, kinds, true = three_types()
    return answers, kinds, true, choose_k(answers, kinds, ks=range(2, 5), **FAST)


def test_types_that_are_there_are_natural(clear):
    _, _, true, choice = clear
    assert choice.k == choice.recommended == 3 and choice.rule == "best"
    assert choice.verdict == "natural" and choice.sentence("de").startswith("Natürliche Gruppen: 3 Typen")
    assert adjusted_rand_score(true, choice.classes.posterior.argmax(axis=1)) > 0.9
    table = choice.table.set_index("k")
    assert list(table.index) == [1, 2, 3, 4]
    assert table.bic.idxmin() == 3 and table.jaccard[3] > 0.9 and table.prediction_strength[3] > 0.8
    assert table.verdict.notna().sum() == 2 and pd.isna(table.verdict[1])  # stability of the two best only
    assert table.smallest_persons[3] == pytest.approx(600 * table.smallest_share[3])
    assert "lowest BIC" in choice.reason() and "5%" in choice.reason()
    mine = choice.segments[choice.segments.k == 3]
    assert choice.warnings() == [] and choice.refused == {}
    assert mine.type.tolist() == [1, 2, 3] and mine.share.sum() == pytest.approx(1)


def test_another_method_finds_them_too(clear):
    answers, kinds, true, choice = clear
    found = compare_kmeans(answers, kinds, choice.classes, n_init=5)
    assert found.method == "famd" and found.ari > 0.85 and "much the same" in found.sentence()
    assert found.table.respondents.sum() == 600 and (found.table.same > 0.9).all()
    assert adjusted_rand_score(true, found.labels) > 0.85


def test_noise_is_constructed():
    rng = np.random.default_rng(3)
    answers = pd.DataFrame(rng.integers(0, 2, (400, 8)).astype(float)).add_prefix("b")
    choice = choose_k(answers, dict.fromkeys(answers, "binary"), ks=(2, 3), **FAST)
    assert choice.verdict == "constructed" and choice.rule in ("unstable", "small")
    assert choice.sentence().startswith("WARNING, constructed types") and "one single group" in choice.sentence()
    assert choice.sentence("de").startswith("WARNUNG, konstruierte Typen")
    assert choice.summary.ari < 0.5 and choice.warnings()[0] == choice.sentence()
    kmeans = compare_kmeans(answers, dict.fromkeys(answers, "binary"), choice.classes, n_init=5)
    assert kmeans.method == "mca" and kmeans.ari < 0.5


def test_overruled_and_deterministic_whatever_the_processes(clear):
    answers, kinds, _, choice = clear
    options = FAST | {"n_jobs": 1}
    again = choose_k(answers, kinds, ks=range(2, 5), k=2, **options)
    assert again.recommended == 3 and again.k == 2 and again.classes.k == 2
    assert "Overruled: 2 types" in again.reason() and "Überstimmt" in again.reason("de")
    assert pd.notna(again.verdict)
    both = ["loglik", "bic", "jaccard", "ari", "prediction_strength"]
    pd.testing.assert_series_equal(again.table.set_index("k").loc[3, both], choice.table.set_index("k").loc[3, both])


def test_a_small_class_is_not_recommended():
    answers, kinds, true = three_types(400)
    few = np.r_[np.flatnonzero(true != 2), np.flatnonzero(true == 2)[:15]]
    choice = choose_k(answers.iloc[few], kinds, ks=(2, 3), **FAST)
    assert choice.table.set_index("k").bic.idxmin() == 3
    assert choice.recommended == 2 and choice.rule == "best"
    alone = choose_k(answers.iloc[few], kinds, ks=(3,), **FAST)
    assert alone.rule == "small" and "50" in alone.reason()


def test_numbers_of_types_that_cannot_be_fitted_are_said():
    answers, kinds, _ = three_types(60)
    choice = choose_k(answers, kinds, ks=(2, 6), n_init=4, n_bootstrap=2, bootstrap_init=2, at_least=1, n_jobs=1)
    assert choice.k == 2 and "parameters, more than the 60" in choice.refused[6]
    assert any("6 Typen lassen sich nicht anpassen" in text for text in choice.warnings("de"))
    with pytest.raises(Refusal, match="more than the 60"):
        choose_k(answers, kinds, ks=(2,), k=6, n_init=4, n_bootstrap=2, n_jobs=1)


def test_usefulness_and_picture(clear):
    choice = clear[3].with_usefulness({2: 0.5, 3: 0.45})
    assert choice.table.set_index("k").usefulness.dropna().to_dict() == {2: 0.5, 3: 0.45}
    ax = choice.plot_criteria(language="de")
    assert ax.get_title(loc="left") == "Wie viele Typen?" or ax.get_title() == "Wie viele Typen?"
    beside = ax.figure.axes[1]
    assert {text.get_text() for text in beside.get_legend().get_texts()} >= {"Jaccard, je Typ", "Typisierung, Makro-F1"}


def test_wrong_numbers_are_named(clear):
    answers, kinds, _, _ = clear
    with pytest.raises(WaageError, match=r"ks = \[1, 2\]"):
        choose_k(answers, kinds, ks=(1, 2))


@pytest.mark.slow
def test_mcdonalds_has_four_reproducible_types(shared_data):
    answers = pd.read_parquet(shared_data / "typology" / "mcdonalds.parquet").iloc[:, :11].eq("Yes").astype(float)
    kinds = dict.fromkeys(answers, "binary")
    choice = choose_k(answers, kinds, ks=(3, 4, 5), n_init=20, n_bootstrap=20, at_least=3, n_jobs=2)
    table = choice.table.set_index("k")
    # With 4 groups the book's authors work; by prediction strength (fpc: .91 and .75 for k-means) only 3 are natural.
    # BIC alone would take 5.
    assert table.bic.idxmin() == 5 and table.verdict[5] == "constructed"
    assert choice.k == 4 and choice.verdict == "reproducible"
    assert choice.segments[choice.segments.k == 4].jaccard.between(0.85, 0.97).all()
    assert table.ari[3] > 0.849 > table.ari[5] and table.ari[4] > 0.8
    assert table.prediction_strength[3] > 0.8 > table.prediction_strength[4]
