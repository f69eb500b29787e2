import json
from pathlib import Path

import pytest

from waage.clv import fit_purchases, fit_spend

from .customers import cdnow


@pytest.fixture(scope="session")
def reference():
    return json.loads((Path(__file__).parents[1] / "reference" / "clv.json").read_text())


@pytest.fixture(scope="session")
def sample():
    return cdnow("sample")


@pytest.fixture(scope="session")
def master():
    return cdnow("master")


@pytest.fixture(scope="session")
def bg(sample):
    return fit_purchases(sample, "bg", "weeks")


@pytest.fixture(scope="session")
def mbg(sample):
    return fit_purchases(sample, "mbg", "weeks")


@pytest.fixture(scope="session")
def pareto(sample):
    return fit_purchases(sample, "pareto", "weeks")


@pytest.fixture(scope="session")
def spend(sample):
    return fit_spend(sample, by_frequency=False)
