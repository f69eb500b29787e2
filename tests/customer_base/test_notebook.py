"""The notebook on a study that holds orders alone, from a history of three months to one of a year."""

import pandas as pd
import pytest

from waage.run import plan_run, run

EMPTY = ("<table></table>", "nan%", "Traceback")


@pytest.mark.slow
@pytest.mark.parametrize(("as_of", "language"), [("2024-03-20", "en"), ("2024-12-31", "de")])
def test_orders_alone_are_enough(make_study, home, as_of, language):
    folder = make_study(as_of=as_of, language=language, fiscal_year_start=7)
    results = run(plan_run("small", only=("01", "06")))
    assert [result.status for result in results if result.name.startswith(("01", "06"))] == ["done", "done"], results
    table = pd.read_parquet(folder / "tables" / "customer_base.parquet")
    assert not table.duplicated(["month", "measure", "group"]).any()
    assert (pd.to_datetime(table["month"]) <= as_of).all()
    assert ("active_12m" in set(table["measure"])) == (as_of == "2024-12-31")
    html = (home / "reports" / "small" / "06_customer_base.html").read_text(encoding="utf-8")
    assert not any(mark in html for mark in EMPTY)
    assert ("Alle Definitionen" if language == "de" else "All definitions") in html
