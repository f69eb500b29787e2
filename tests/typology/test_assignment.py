"""Types by SELECT: the engine's figures against scikit-learn's, and what becomes of those without history."""

import json
import math
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from waage.errors import WaageError
from waage.typology.assignment import assign, channel_priors, drift, expected_shares
from waage.typology.typing_model import Scale, TypingModel, bin_counts

TYPES = ("planners", "hunters", "loyals")
PRIOR = (0.5, 0.3, 0.2)


def customers(n, seed=1):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "person_id": [f"P{i:05d}" for i in range(n)],
            "frequency": rng.poisson(2, n).astype(float) + 1,
            "monetary": np.exp(rng.normal(4, 1, n)) - 5,
            "share": rng.random(n),
            "score": rng.normal(size=n),
        }
    )


@pytest.fixture(scope="module")
def sklearn_and_model():
    """A logit that scikit-learn fitted on features scaled with pandas, and the same one as a stored model."""
    train = customers(400).drop(columns="person_id")
    seen = train.assign(
        frequency=np.log(1 + train.frequency),
        monetary=np.log(1 + train.monetary.clip(lower=0)),
        share=np.sqrt(train.share),
    )
    low, high, mean, spread = seen.min(), seen.max(), seen.mean(), seen.std(ddof=0)
    Z = (seen - mean) / spread
    y = (Z.frequency + 2 * Z.share - Z.score + np.random.default_rng(0).normal(size=400) > 0).astype(int) + (
        Z.score > 1
    )
    tool = LogisticRegression(C=0.5, tol=1e-8, max_iter=5000).fit(Z.to_numpy(), y)
    kinds = {"frequency": "log", "monetary": "log", "share": "sqrt", "score": "none"}
    scales = {}
    for name, kind in kinds.items():
        breaks = tuple(np.quantile(train[name], np.arange(1, 10) / 10).tolist())
        counts = bin_counts(train[name].to_numpy(), breaks, np.ones(400))
        scales[name] = Scale(kind, low[name], high[name], mean[name], spread[name], breaks, counts)
    Q = tool.predict_proba(Z.to_numpy())
    tenths = tuple(bin_counts(Q[:, k], [i / 10 for i in range(1, 10)], np.ones(400))[:-1] for k in range(3))
    model = TypingModel(
        types=TYPES,
        scales=scales,
        intercepts=tuple(map(float, tool.intercept_)),
        coefficients=tuple(tuple(map(float, row)) for row in tool.coef_),
        prior=PRIOR,
        priors={"social": (0.1, 0.2, 0.7)},
        p_counts=tenths,
    )

    def predict(frame):
        seen = frame[[*kinds]].assign(
            frequency=np.log(1 + frame.frequency.clip(lower=0)),
            monetary=np.log(1 + frame.monetary.clip(lower=0)),
            share=np.sqrt(frame.share.clip(lower=0)),
        )
        Z = (seen.clip(low, high, axis=1) - mean) / spread
        return tool.predict_proba(Z.fillna(0).to_numpy())

    return predict, model


def put(duck, frame, name="t_features"):
    return duck.create_table(name, pa.Table.from_pandas(frame, preserve_index=False), temp=True, overwrite=True)


def table(expression):
    return expression.order_by("person_id").to_pyarrow()


def odd_customers():
    """Ordinary customers, NULL and NaN in every place, and values far outside of training."""
    frame = customers(300, seed=2)
    frame.loc[:20, "monetary"] = np.nan
    frame.loc[10:40, "share"] = np.nan
    frame.loc[41, ["monetary", "share", "score"]] = np.nan
    frame.loc[42, "monetary"], frame.loc[43, "score"], frame.loc[44, "score"] = 1e12, 1e6, -1e6
    frame.loc[45, "monetary"] = -1e9
    return frame


def test_the_engine_says_what_scikit_learn_says(duck, sklearn_and_model):
    predict, model = sklearn_and_model
    frame = odd_customers()
    assert frame.monetary.isna().any()
    expected = predict(frame)
    # pyarrow makes NULL of NaN; the same must come of NaN itself.
    for features in (put(duck, frame), put(duck, frame).mutate(share=ibis._.share.fill_null(float("nan")))):
        found = table(assign(features, model)).to_pandas()
        assert np.abs(found[["p_1", "p_2", "p_3"]].to_numpy() - expected).max() < 1e-9
        assert found.type.tolist() == [TYPES[k] for k in expected.argmax(axis=1)]
        top = expected.max(axis=1)
        assert found.band.tolist() == np.select([top >= 0.7, top >= 0.5], ["sure", "likely"], "unclear").tolist()
    assert np.abs(model.predict(frame) - expected).max() < 1e-12
    assert len(set(found.band)) == 3 and len(set(found.type)) == 3


def test_boosted_trees_are_a_select_too(duck, sklearn_and_model):
    _, model = sklearn_and_model
    tree = (0, 0.1, (2, -0.5, 0.3, -0.2), 1.5)
    trees = replace(model, trees=((tree, 0.25), ((3, 0.0, -1.0, 1.0),), ((1, 0.2, tree, 0.0),)))
    trees = TypingModel.from_dict(json.loads(json.dumps(trees.to_dict())))
    frame = odd_customers()
    found = table(assign(put(duck, frame), trees)).to_pandas()
    assert np.abs(found[["p_1", "p_2", "p_3"]].to_numpy() - trees.predict(frame)).max() < 1e-12
    assert len(np.unique(trees.predict(frame).round(6), axis=0)) > 5


def test_persons_without_history_get_the_prior_of_their_channel(duck, sklearn_and_model):
    _, model = sklearn_and_model
    frame = customers(5).assign(acquisition_channel=["social", "social", "radio", None, None])
    frame.loc[[0, 2, 3], "frequency"] = [0, np.nan, 0]
    found = table(assign(put(duck, frame), model)).to_pydict()
    rows = list(zip(found["p_1"], found["p_2"], found["p_3"], strict=True))
    assert rows[0] == (0.1, 0.2, 0.7) and rows[2] == rows[3] == PRIOR
    assert found["type"][0] == "loyals" and [found["band"][i] for i in (0, 2, 3)] == ["unclear"] * 3
    assert rows[1] not in ((0.1, 0.2, 0.7), PRIOR) and sum(rows[1]) == pytest.approx(1, abs=1e-15)
    # Priors of the caller go before those of the model; without the column all get the overall one.
    own = table(assign(put(duck, frame), model, {"radio": (0, 0, 1)})).to_pydict()
    assert (own["p_3"][2], own["p_1"][0]) == (1, 0.5)
    bare = table(assign(put(duck, frame.drop(columns="acquisition_channel")), model)).to_pydict()
    assert bare["p_1"][0] == 0.5


def test_equal_bits_in_any_order_and_on_any_number_of_threads(duck, sklearn_and_model):
    _, model = sklearn_and_model
    frame = customers(20_000, seed=3)
    found = []
    for threads, rows in ((1, frame), (2, frame.sample(frac=1, random_state=0))):
        con = ibis.duckdb.connect()
        con.raw_sql(f"SET threads = {threads}")
        types = con.create_table("types", assign(put(con, rows), model), temp=True)
        found.append((table(types), expected_shares(types, TYPES)))
    assert found[0][0].equals(found[1][0])
    pd.testing.assert_frame_equal(found[0][1], found[1][1], check_exact=True)


def test_assigning_two_tables_in_one_query(duck, sklearn_and_model):
    _, model = sklearn_and_model
    one, two = put(duck, customers(10), "t_one"), put(duck, customers(10, seed=9), "t_two")
    both = assign(one, model).union(assign(two, model))
    assert both.count().execute() == 20


def test_counts_are_summed_probabilities(duck, sklearn_and_model):
    _, model = sklearn_and_model
    types = duck.create_table("t_types", assign(put(duck, customers(5000)), model), temp=True, overwrite=True)
    shares, rows = expected_shares(types, TYPES), types.to_pandas()
    assert shares.customers.tolist() == pytest.approx([rows[f"p_{k}"].sum() for k in (1, 2, 3)], abs=1e-6)
    assert shares.share.sum() == pytest.approx(1) and shares.assigned.sum() == 5000
    assert shares.unclear.sum() == (rows.band == "unclear").sum()


def test_drift_finds_the_feature_that_moved(duck, sklearn_and_model):
    _, model = sklearn_and_model
    same = put(duck, customers(4000, seed=4), "t_same")
    calm = drift(same, assign(same, model), model).set_index("name")
    assert set(calm.band) == {"stable"} and len(calm) == 4 + 3
    frame = customers(4000, seed=5)
    frame["score"] += 1
    frame.loc[:800, "share"] = np.nan
    frame.loc[4000] = ["P99999", 0, 1e9, 0, 0]  # without history: no part of the comparison
    moved = put(duck, frame, "t_moved")
    found = drift(moved, assign(moved, model), model).set_index("name")
    assert (found.band["score"], found.band["share"], found.band["monetary"]) == ("shifted", "shifted", "stable")
    assert found.psi["planners"] > calm.psi["planners"] and found.kind["planners"] == "probability"
    counts = np.diff([0, *((frame.score[:4000].to_numpy()[:, None] <= model.scales["score"].breaks).sum(axis=0)), 4000])
    p, q = ((c + 0.5) / (c + 0.5).sum() for c in (np.array(model.scales["score"].counts), np.append(counts, 0)))
    assert found.psi["score"] == pytest.approx(((q - p) * np.log(q / p)).sum())


def test_priors_of_small_channels_lean_to_the_overall_mix():
    P = np.repeat([[1.0, 0.0], [0.0, 1.0]], [300, 100], axis=0)
    w = np.where(np.arange(400) < 300, 1.0, 3.0)
    channel = ["web"] * 299 + ["radio"] + ["store"] * 99 + [None]
    assert "radio" not in channel_priors(P, w, channel), "one respondent's answers would be read off"
    found = channel_priors(P, w, channel, min_cell=1)
    assert list(found) == ["radio", "store", "web"]
    unit = 1 / 1.5
    assert found["radio"][0] == pytest.approx((unit + 50 * 0.5) / (unit + 50))
    assert found["web"][0] > 0.85 and found["store"][0] < 0.15
    assert all(math.isclose(sum(prior), 1) for prior in found.values())


def test_a_missing_feature_is_named(duck, sklearn_and_model):
    _, model = sklearn_and_model
    features = put(duck, customers(3).rename(columns={"score": "scores"}))
    with pytest.raises(WaageError, match=r"lack 'score' \(did you mean 'scores'\?\)"):
        assign(features, model)
