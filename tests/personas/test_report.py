"""What the report says around the personas."""

import re

import pandas as pd
import pytest

from waage.personas.findings import Rules, findings, power
from waage.personas.poster import page
from waage.personas.report import evidence_table, power_finding, print_if_possible, undecided

from .simulated import NAMES, SOURCES, survey, variables


def table_of(n, seed=5):
    rng, types, posterior, weights = survey(seed, n)
    return findings(posterior, weights, variables(rng, types), NAMES, sources=SOURCES)


def chance(text):
    return int(re.search(r"probability of (\d+)%", text)[1])


def test_a_larger_sample_shows_more():
    few, many = (power_finding(table_of(n), Rules()) for n in (400, 4000))
    assert chance(few) < chance(many) and "index 130 or 70" in many
    assert "(Index 130 oder 70) würde im Mittel" in power_finding(table_of(400), Rules(), "de")


def test_a_share_cannot_exceed_all():
    table = table_of(300)
    shares = table["kind"] != "numeric"
    high = table.assign(base_value=table["base_value"].mask(shares, 0.9), error=table["error"].mask(shares, 0.1))
    # An index of 130 is out of reach everywhere: what is left is the other limit.
    true = pd.Series(0.9 * 0.7, table["id"][shares])
    expected = power(high[shares], true, Rules()).mean()
    assert 0.3 < expected < 0.95 and chance(power_finding(high, Rules())) == pytest.approx(100 * expected, abs=0.51)
    only_numbers = table[~shares]
    assert "probability" not in power_finding(only_numbers, Rules()) and "differences are said" in power_finding(
        only_numbers, Rules()
    )


def test_quotes_that_nobody_approved_are_announced():
    shown, approved = pd.DataFrame({"text": list("abc")}), pd.DataFrame({"text": list("a")})
    assert "include 2 that nobody has approved" in undecided(shown, approved).data
    assert "2, die niemand freigegeben hat" in undecided(shown, approved, "de").data
    assert undecided(approved, approved).data == ""


def test_the_evidence_has_units_intervals_and_names_of_personas(persona_study):
    study = persona_study("de")
    table = evidence_table(study.findings.join(study.known, on="variable"), study.personas)
    assert set(table["Persona"]) <= {one["label"] for one in study.personas}
    money = table[table["Befund"] == "Bestellwert"]
    assert (
        len(money)
        and money["In dem Typ"].str.contains("€").all()
        and money["95-%-Intervall"].str.contains("€ bis").all()
    )
    shares = table[table["Index"] != "–"]
    assert shares["In dem Typ"].str.contains("%").all() and shares["95-%-Intervall"].str.fullmatch(r"\d+ bis \d+").all()


def test_a_report_without_a_browser_is_a_report(monkeypatch, chromium):
    html = page("<p>Persona</p>", "Personas")
    assert print_if_possible(html).startswith(b"%PDF")
    monkeypatch.setenv("PATH", "")
    assert print_if_possible(html) == b""
