"""What is not there must not be found: noise has no types, and behaviour that knows nothing types nobody."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from waage.errors import Refused
from waage.typology.choice import choose_k
from waage.typology.types import Types
from waage.typology.typing import fit_typing

from .test_typing import TYPES, world

PERMUTATIONS = 20


def noise(kind: str, n: int = 1200, items: int = 12) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return answers that depend on nothing: scales of five answers, some of them liked better, or ticks."""
    rng = np.random.default_rng(17)
    if kind == "categorical":
        answers = np.clip(np.rint(rng.normal(rng.uniform(2.5, 3.8, items), 1.1, (n, items))), 1, 5)
    else:
        answers = rng.random((n, items)) < rng.uniform(0.2, 0.7, items)
    table = pd.DataFrame(answers.astype(float)).add_prefix("q")
    return table, dict.fromkeys(table, kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["categorical", "binary"])
def test_noise_is_called_constructed_where_nobody_can_miss_it(kind):
    answers, kinds = noise(kind)
    # Fewer starts and bootstraps than the defaults of 50 and 25 x 10; instability is what is looked for.
    choice = choose_k(answers, kinds, ks=(2, 3), n_init=6, n_bootstrap=4, bootstrap_init=2, seed=7, n_jobs=2)
    assert choice.verdict == "constructed" and choice.table.verdict.dropna().eq("constructed").all()
    assert choice.table.set_index("k").bic.idxmin() == 1  # one group says it all
    # A sample and weights that give no cause for a warning of their own.
    sample = SimpleNamespace(warnings=lambda language: [])
    weights = SimpleNamespace(summary=SimpleNamespace(worst_margin=0.0))
    types = Types(
        survey=SimpleNamespace(sample=sample, weights=weights),
        choice=choice,
        posterior=choice.classes.posterior,
        typing=Refused("typing: nothing to learn from"),
        as_of=pd.Timestamp("2025-06-29").date(),
        fitted_on=len(answers),
        fresh=True,
        min_cell=30,
        settings={},
        changed=(),
        seed=7,
    )
    for language, word, one in (("en", "WARNING", "one single group"), ("de", "WARNUNG", "Eine einzige Gruppe")):
        first = types.warnings(language)[0]
        assert first == choice.warnings(language)[0] == choice.sentence(language)
        assert first.startswith(word) and one in first


@pytest.mark.slow
def test_shuffled_labels_close_the_gate_almost_always():
    # 600 respondents and one block of all 12 behaviours, where the demonstration has 2,000 and three.
    asked = world(600, 21)
    blocks, w = {"all": tuple(asked.X)}, np.ones(600)
    honest = fit_typing(asked.X, asked.P, w, blocks, types=TYPES, seed=7)
    assert honest.open
    lead, closed = [], 0
    for number in range(PERMUTATIONS):
        order = np.random.default_rng(number).permutation(600)
        found = fit_typing(asked.X, asked.P[order], w, blocks, types=TYPES, seed=number)
        lead.append(found.headline["macro_f1"] - found.headline["majority_macro_f1"])
        closed += not found.open
        assert found.headline["log_loss"] > found.headline["base_log_loss"] - 0.02
    assert closed >= PERMUTATIONS - 1
    # Nothing learnt, the model says the largest type to all but a few.
    assert max(map(abs, lead)) < 0.02, lead
    assert honest.headline["macro_f1"] - honest.headline["majority_macro_f1"] > 0.3
