"""Tables and sentences as readers of either language see them."""

import re
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from waage.clv import chapter, chapters, choice_table, group_table, model_table, readable, spend_table
from waage.clv.choice import pick_model, summaries
from waage.clv.sentences import fit_sentence, window_sentence
from waage.errors import Refused, WaageError


@pytest.mark.parametrize("key", list(chapters._CHAPTERS))
def test_every_chapter_exists_in_both_languages(key):
    english, german = (chapter(key, language).data for language in ("en", "de"))
    assert english and german and english != german
    assert english.startswith("## ") == german.startswith("## ")


def test_sums_are_short_and_keep_their_interval():
    frame = pd.DataFrame({"group": ["cant_lose", "all"], "customers": [12.0, np.nan], "clv": [1_234_567.0, np.nan]})
    frame = frame.assign(clv_low=[1_000_000.0, np.nan], clv_high=[1_500_000.0, np.nan], plan=np.nan)
    table = readable(frame, "en", "EUR")
    assert table.iloc[0].tolist() == ["Can't lose", "12", "€1.2m (1m to 1.5m)"]
    assert table.iloc[1].tolist() == ["All", "hidden", "–"], "hidden figures have no interval, an empty column is gone"
    german = readable(frame, "de", "EUR")
    assert german.columns.tolist() == ["Gruppe", "Kunden", "Kundenwert"]
    assert german.iloc[0, 2].replace("\u00a0", " ") == "1,2 Mio. € (1 Mio. bis 1,5 Mio.)"


def test_groups_too_small_are_hidden_and_their_place_says_nothing():
    rows = []
    for group, n, actual in (("a", 50, 1.0), ("b", 5, 9.0), ("c", 60, 2.0), ("d", 70, 0.5)):
        for model in ("mbg", "same_rate", "zero"):
            rows.append(("segment", group, model, n, actual, actual + 0.1, actual - 0.2, actual + 0.2))
    columns = ["by", "group", "model", "n", "actual", "predicted", "low", "high"]
    table = group_table(pd.DataFrame(rows, columns=columns), ["mbg", "same_rate"], min_cell=10)
    # "b" is hidden, and "a" with it: all the others and the total would tell five people's count.
    assert table["customers"].isna().sum() == 2 and table["group"].tolist() == ["c", "d", "a", "b"]
    assert "MBG/NBD" in table and "Same rate again" in table and table["actual"].iloc[2:].isna().all()


def test_models_are_told_in_a_line_each(sample, mbg, pareto, spend):
    windows = {"full": ({"mbg": mbg, "pareto": pareto}, spend, sample)}
    summary = summaries(windows, "weeks")
    assert summary["window"].unique().tolist() == ["full"] and set(summary["model"]) == {"mbg", "pareto", "gamma_gamma"}
    table = model_table(summary, "de")
    assert len(table) == 3 and "alpha 6,18 (4,96 bis" in table.iloc[0, 1] and " bis " in table.iloc[0, 1]
    loose = summary.assign(high=np.where(summary["parameter"] == "beta", 1e9, summary["high"]))
    assert "beta weakly known" in model_table(loose).iloc[1, 1]
    season = summary.assign(model=summary["model"].replace("mbg", "mbg_calendar"))
    assert model_table(season).iloc[0, 2] == "–", "a likelihood by another clock is not shown beside the others"
    choice = pd.DataFrame({"model": ["mbg", "bg"], "chosen": [True, False]})
    choice["reason"] = ["best log score in the test", "one-time buyers count as alive"]
    assert choice_table(choice, "de").iloc[1, 2] == "Einmalkäufer gelten als aktiv"
    assert pick_model(choice) == "mbg" and pick_model(choice, "bg") == "bg"
    with pytest.raises(WaageError, match="model 'pareto' was not fitted; use auto or one of mbg, bg"):
        pick_model(choice, "pareto")


def test_sentences_of_the_fit(mbg, spend):
    english = fit_sentence(mbg, spend, Refused("short"), "weeks")
    assert "2,357 customers" in english and "needs two years" in english and "1,411 customers without" in english
    tested = SimpleNamespace(weeks=120)
    beaten = fit_sentence(mbg, spend, tested)
    assert "tested; the chosen one has none" in beaten and "rests on" not in beaten
    seasonal = fit_sentence(replace(mbg, calendar=SimpleNamespace(weeks=156)), spend, tested)
    assert seasonal.endswith("The seasonal calendar rests on 156 weeks.")
    german = fit_sentence(mbg, spend, None, "days", "de")
    assert "Parameter in Tagen" in german and "nicht verlangt" in german
    assert "konvergiert" in german and "größter Gradient" in german
    assert "MBG/NBD" in window_sentence(date(2024, 6, 30), 364, "mbg") and "364" in window_sentence(
        date(2024, 6, 30), 364, "mbg", "de"
    )
    table = spend_table(spend, "USD", min_cell=10)
    assert table.columns[0] == "Repeat purchase days from" and "$" in table.iloc[0, 2]


def test_what_a_fit_says_of_itself_is_german_too(mbg, spend):
    said = (
        "accepted by its gradient from start 2 of 3 at tolerance 1e-05; largest gradient 2.0e-06",
        "converged from the end of the first search at tolerance 1e-07; the likelihood is flat: no standard errors",
        "converged from a fit on 1,234 grouped histories; weakly identified (standard error of the logarithm above 1): "
        "s, beta",
    )
    for convergence in said:
        text = fit_sentence(replace(mbg, convergence=convergence), spend, language="de")
        log = text.partition("Protokoll der Anpassung: *")[2]
        assert not re.search(r"\b(from|the|at|is|of|fit|by|on|no|above|start \d of)\b", log), log


def test_few_customers_are_not_counted_out(mbg, spend):
    few = replace(spend, left_out={"one_time": 1411, "zero": 1, "negative": 0})
    english, german = (fit_sentence(mbg, few, language=language, min_cell=10) for language in ("en", "de"))
    assert (
        "1,411 customers without a repeat purchase, fewer than 10 whose repeat purchases net to nothing, 0 to"
        in english
    )
    assert "weniger als 10, bei denen von den Wiederkäufen nichts" in german
