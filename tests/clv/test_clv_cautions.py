import pandas as pd
import pytest

from waage.clv.cautions import cautions, within_chance


class Fitted:
    model = name = "mbg"
    convergence, caution, classes = "converged", "", ()
    params, left_out = pd.Series({"a": 0.2, "b": 0.3, "q": 0.9}), {"negative": 0}
    independence = pd.Series({"spearman": 0.0, "low": -0.05, "high": 0.05})


RELATED = pd.Series({"spearman": 0.2, "low": 0.15, "high": 0.25})


def a_test(low=-5.0, high=5.0, coverage=0.9) -> pd.DataFrame:
    rows = [("mbg", "bias_pct", (low + high) / 2, low, high), ("mbg", "coverage_80", coverage, None, None)]
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high"])


WEAKLY = "converged; largest gradient 1.0e-08; weakly identified (standard error of the logarithm above 1): "


def said(backtest=None, gross=False, language="en", min_cell=0, **changes) -> list[str]:
    fitted = Fitted()
    for name, value in changes.items():
        setattr(fitted, name, value)
    options = {"holdout_days": 91, "gross": gross, "language": language, "min_cell": min_cell}
    return cautions(a_test() if backtest is None else backtest, fitted, fitted, **options)


def test_a_sound_valuation_needs_no_caution():
    assert within_chance(a_test(), "mbg") and said() == []


def test_a_test_in_which_nobody_bought_has_no_share_to_miss():
    (caution,) = said(a_test(float("nan"), float("nan")))
    assert caution.startswith("Nobody bought in the 91 days of the test")


def test_a_flat_likelihood_names_what_it_is_flat_in():
    (leaving,) = said(convergence="converged; the likelihood is flat: no standard errors")
    assert "leave (a, b) is weakly known" in leaving


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (lambda: said(a_test(-22, -16)), "missed the number of purchases in 91 days by −19%, more than chance"),
        (lambda: said(a_test(coverage=0.65)), "80% intervals held 65%"),
        (lambda: said(convergence=WEAKLY + "a, b"), "leave (a, b) is weakly known"),
        (lambda: said(convergence=WEAKLY + "beta"), "leave (beta) is weakly known"),
        (lambda: said(convergence=WEAKLY + "r, alpha"), "How differently often customers buy (r, alpha) is weakly"),
        (lambda: said(independence=pd.Series({"spearman": 0.2, "low": 0.15, "high": 0.25})), "Spearman 0.20"),
        (lambda: said(independence=RELATED, classes=(1, 2)), "estimated by class of frequency"),
        (lambda: said(caution="a + b"), "a + b = 0.50 is below 1"),
        (lambda: said(left_out={"negative": 30}, min_cell=10), "30 customers' repeat purchases net to less"),
        (lambda: said(left_out={"negative": 3}, min_cell=10), "Fewer than 10 customers' repeat purchases net to less"),
        (lambda: said(gross=True), "include VAT"),
    ],
)
def test_each_trouble_is_said_alone(result, words):
    (caution,) = result()
    assert words in caution


def test_cautions_are_german_too():
    everything = {"independence": RELATED, "caution": "a + b", "convergence": WEAKLY + "a"}
    german = said(a_test(-22, -16, 0.6), True, "de", left_out={"negative": 1200}, **everything)
    assert len(german) == 7
    assert "um −19 %" in german[0] and "0,15 bis 0,25" in german[4] and "1.200" in german[5]
