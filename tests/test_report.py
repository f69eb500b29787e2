import re

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from waage import pages
from waage.errors import WaageError
from waage.report import export_html, figure, header_facts, write_index

STUDY = {
    "name": "tiny",
    "language": "en",
    "currency": "USD",
    "money": "net",
    "as_of": "2025-06-30",
    "data_until": "2025-07-01",
    "time_zone": "Europe/Berlin",
    "simulated": False,
}
TIMED = {"started": "2025-07-02T04:00:00+00:00", "seconds": 75.3}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def show(html=None, **data):
    return new_output("display_data", {**({"text/html": html} if html else {}), **data})


@pytest.fixture
def export(tmp_path):
    def run(*cells, title="What customers are worth", facts=None, **options):
        executed, html = tmp_path / "executed.ipynb", tmp_path / "report.html"
        nbformat.write(new_notebook(cells=list(cells)), executed)
        export_html(executed, html, title=title, facts=facts or header_facts(STUDY, TIMED), **options)
        return BeautifulSoup(html.read_text(encoding="utf-8"), "html.parser")

    return run


def loads(soup):
    """Everything a browser would fetch by itself."""
    found = [tag["src"] for tag in soup.find_all(src=True)]
    found += [tag["href"] for tag in soup.find_all(["link", "use", "image", "base"]) if tag.has_attr("href")]
    found += [tag["xlink:href"] for tag in soup.find_all(attrs={"xlink:href": True})]
    found += [tag[name] for name in ("srcset", "poster", "data", "background") for tag in soup.find_all(**{name: True})]
    found += re.findall(r"url\(([^)]*)\)|@import[^;]*", str(soup))
    return [address for address in found if not address.startswith(("data:", "#"))]


def test_report_shows_results_and_no_code(export):
    soup = export(
        new_markdown_cell("# Customer value\n\nWho will buy again?"),
        new_code_cell("secret_variable = 1", outputs=[new_output("stream", name="stderr", text="7%|#  | 7/100")]),
        new_code_cell("print(1)", execution_count=3, outputs=[new_output("stream", name="stdout", text="4 checks ok")]),
        new_code_cell("plot()", outputs=[show(**{"image/png": PIXEL, "text/plain": "<Figure size 900x450>"})]),
    )
    text = soup.get_text(" ", strip=True)
    for word in ("secret_variable", "print(1)", "plot()", "In [", "Out[", "7/100", "<Figure"):
        assert word not in text
    for word in ("Customer value", "Who will buy again?", "4 checks ok", "tiny"):
        assert word in text
    assert soup.title.get_text().startswith("What customers are worth")
    assert soup.find("main").find("img")["alt"] == "Customer value"
    assert soup.find("a", class_="back")["href"] == "index.html"
    assert len(str(soup)) < 40_000


def test_head_holds_the_facts(export):
    soup = export(new_markdown_cell("Text."))
    facts = {dt.get_text(): dt.find_next("dd").get_text() for dt in soup.find_all("dt")}
    assert facts == {
        "As of": "30 June 2025",
        "Data until": "1 July 2025",
        "Money": "USD, excl. VAT",
        "Run": "2 July 2025, 06:00",
        "Run time": "1\u00a0min 15\u00a0s",
    }
    assert soup.find("main").find("h1").get_text() == "What customers are worth"
    assert "simulated" not in soup.find("header").get_text()


def test_german_and_simulated(export):
    study = {**STUDY, "language": "de", "simulated": True, "money": "gross"}
    soup = export(new_markdown_cell("Text."), facts=header_facts(study, TIMED), index="../index.html")
    head = soup.find("header").get_text(" ", strip=True)
    for word in ("simulierte Daten", "Stichtag", "30. Juni 2025", "USD, inkl. MwSt.", "Alle Berichte dieser Studie"):
        assert word in head
    assert soup.html["lang"] == "de"
    assert soup.find("a", class_="back")["href"] == "../index.html"


def test_simulated_is_said_in_english(export):
    soup = export(new_markdown_cell("Text."), facts=header_facts({**STUDY, "simulated": True}, TIMED))
    assert "simulated" in soup.find("header").get_text()


def test_nothing_is_loaded(export):
    hostile = """<script src="https://cdn.example/plotly.js"></script><link rel="stylesheet" href="https://cdn.example/a.css">
      <img src="https://cdn.example/a.png" onerror="fetch('https://cdn.example')"><iframe src="https://cdn.example"></iframe>
      <img srcset="//cdn.example/b.png 2x"><div style="background: url(https://cdn.example/c.png)">kept</div>
      <style>@import url('https://cdn.example/d.css'); .x { background: url("//cdn.example/e.png") }</style>
      <svg><image href="https://cdn.example/f.png"/><use xlink:href="https://cdn.example/g.svg#a"/></svg>"""
    soup = export(
        new_markdown_cell("![logo](https://cdn.example/h.png) and [a source](https://example.org/paper)"),
        new_code_cell("x", outputs=[show(hostile)]),
        new_code_cell("y", outputs=[show("<b>table</b>", **{"application/javascript": "alert(1)"})]),
    )
    assert loads(soup) == []
    assert "cdn.example" not in str(soup)
    assert not soup.find_all("script")
    assert "default-src 'none'" in soup.find("meta", attrs={"http-equiv": True})["content"]
    assert soup.find("a", href="https://example.org/paper")
    assert "kept" in soup.get_text() and soup.find("b").get_text() == "table"


def table_of(export, frame, facts=None):
    return export(new_code_cell("frame", outputs=[show(frame._repr_html_())]), facts=facts).find("table")


def test_tables_lose_a_counting_index_and_align_numbers(export):
    frame = pd.DataFrame(
        {"segment": ["at_risk", "new"], "net_revenue": [1234.5, None], "since": ["2025-01-01", "soon"]}
    )
    table = table_of(export, frame)
    assert [th.get_text() for th in table.select("thead th")] == ["Segment", "Net revenue", "Since"]
    rows = [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in table.select("tbody tr")]
    assert [row[0] for row in rows] == ["At risk", "New customers"]
    assert rows[1][1] == "–"
    aligned = [["num" in cell.get("class", []) for cell in row.find_all("td")] for row in table.select("tbody tr")]
    assert aligned == [[False, True, False]] * 2
    assert ["num" in th.get("class", []) for th in table.select("thead th")] == [False, True, False]
    assert table.parent["class"] == ["scroll"] and not table.parent.parent.find("style")


def test_tables_keep_an_index_that_says_something(export):
    named = pd.DataFrame({"n": [5, 6]}, index=pd.Index([0, 1], name="month"))
    table = table_of(export, named)
    assert [th.get_text() for th in table.select("thead th")] == ["Month", "N"]
    assert [th.get_text() for th in table.select("tbody th")] == ["0", "1"]
    years = table_of(export, pd.DataFrame({"n": [5, 6]}, index=[2024, 2025]))
    assert [th.get_text() for th in years.select("tbody th")] == ["2024", "2025"]


def test_long_table_loses_its_counting_index_too(export):
    table = table_of(export, pd.DataFrame({"n": range(500)}))
    assert len(table.select("tbody tr")) == 11 and not table.select("tbody th")


def test_index_of_frames_put_together_is_dropped(export):
    part = pd.DataFrame({"model": ["bg", "mbg"], "n": [1, 2]})
    table = table_of(export, pd.concat([part, part]))
    assert not table.select("tbody th")
    assert [td.get_text() for td in table.select("tbody td")[::2]] == ["BG/NBD", "MBG/NBD"] * 2


def test_numbers_in_tables_are_written_for_people(export):
    columns = {
        "customers": [12.0, None],
        "orders": [1234567, 9],
        "order_id": [1234567, 9],
        "year": [2024, 2025],
        "share": [0.0123, 1],
        "upper": [1.5, float("inf")],
    }
    written = lambda x: "∞" if x == float("inf") else f"{x:.{2 if x > 0.1 else 3}f}"  # noqa: E731
    with pd.option_context("display.float_format", written):
        html = pd.DataFrame(columns)._repr_html_()
    table = export(new_code_cell("frame", outputs=[show(html)])).find("table")
    rows = [[td.get_text() for td in row.find_all("td")] for row in table.select("tbody tr")]
    assert rows == [
        ["12", "1,234,567", "1234567", "2024", "0.012", "1.50"],
        ["–", "9", "9", "2025", "1.00", "∞"],
    ]
    assert all("num" in td["class"] for td in table.select("tbody td"))


def test_bare_objects_are_not_shown(export):
    plain = [new_output("execute_result", {"text/plain": text}) for text in ("TableFile(rows=5)", "<Axes: >", "42")]
    text = export(*(new_code_cell("x", outputs=[output]) for output in plain)).find("main").get_text()
    assert "TableFile" not in text and "Axes" not in text and "42" in text


def test_labels_of_tables_follow_the_language(export):
    facts = header_facts({**STUDY, "language": "de"}, TIMED)
    table = table_of(export, pd.DataFrame({"segment": ["loyal"], "net_revenue": [1]}), facts)
    assert [cell.get_text() for cell in table.find_all(["th", "td"])] == [
        "Segment", "Umsatz nach Retouren", "Treue Kunden", "1",
    ]  # fmt: skip


def test_only_a_failed_notebook_shows_its_error(export):
    error = new_output(
        "error", ename="ValueError", evalue="orders < 1", traceback=["\x1b[31mTraceback\x1b[0m", "line 1"]
    )
    note = new_markdown_cell("An Exception was encountered", metadata={"tags": ["papermill-error-cell-tag"]})
    soup = export(note, new_code_cell("x", outputs=[error]))
    assert soup.find(id="failure").find(class_="why").get_text() == "ValueError: orders < 1"
    assert "Traceback\nline 1" in soup.find(id="failure").find("details").get_text()
    assert "incomplete" in soup.find("main").find(class_="failure").get_text()
    assert "An Exception was encountered" not in soup.get_text() and "\x1b" not in str(soup)
    expected = new_code_cell("x", outputs=[error], metadata={"tags": ["raises-exception"]})
    soup = export(expected)
    assert "ValueError" not in soup.get_text() and not soup.find(class_="failure")


def test_contents_list_leads_to_the_sections(export):
    soup = export(new_markdown_cell("# Title\n\nQuestion?"), *(new_markdown_cell(f"## Part {i}") for i in (1, 2, 3)))
    links = {a["href"][1:]: a.get_text() for a in soup.find(class_="contents").find_all("a")}
    assert {h2["id"]: h2.get_text() for h2 in soup.find_all("h2")} == links
    assert not export(new_markdown_cell("# Title"), new_markdown_cell("## Part")).find(class_="contents")


def test_pieces_bring_their_style_once(export):
    cards = pages.cards(("orders", "12"), ("net_revenue", "<b>", "a note"))
    soup = export(new_code_cell("cards", outputs=[show(cards.data)]))
    assert [card.get_text("|") for card in soup.find_all(class_="card")] == ["Orders|12", "Net revenue|<b>|a note"]
    assert len(soup.find_all("style")) == 1


def test_report_is_replaced_in_one_step(export, tmp_path, monkeypatch):
    export(new_markdown_cell("first"))
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        export(new_markdown_cell("second"))
    assert "first" in (tmp_path / "report.html").read_text()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["executed.ipynb", "report.html"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(WaageError, match=r"is not a folder, so index\.html cannot be written"):
        write_index(manifest(), tmp_path / "nowhere" / "index.html")


def entry(title, status="done", **more):
    plain = {"reason": None, "started": TIMED["started"], "seconds": 12.3, "parameters": {}, "changed": {}}
    lists = {"headlines": [], "warnings": [], "inputs": {}, "outputs": {}, "report": None}
    return {"title": title, "status": status, **plain, **lists, **more}


def manifest(**study):
    headlines = [
        {"key": "customers", "value": 23456, "unit": "customers"},
        {"key": "net_revenue", "value": 4596040.2, "unit": "USD"},
        {"key": "repeat_share", "value": 0.423, "unit": "%"},
        {"key": "largest_segment", "value": "Hibernating", "unit": ""},
    ]
    return {
        "waage": "0.1.0",
        "study": STUDY | study,
        "run": {
            **TIMED,
            "git": {"commit": "abcdef0123456789", "dirty": True},
            "versions": {"duckdb": "1.5.1", "pandas": "3.1.1"},
            "engine": {"kind": "duckdb", "memory": "8GB", "threads": 2},
        },
        "notebooks": {
            "01_data_unification": entry(
                "Who is who",
                report="01_data_unification.html",
                headlines=headlines,
                warnings=["<script>alert('x')</script> in 3 orders"],
                outputs={"edges": {"sha256": "ab" * 32, "rows": 123456, "bytes": 2345678}},
            ),
            "02_rfm_typology": entry("Who buys", report="02_rfm_typology.html", changed={"bins": 4, "names": ["a"]}),
            "03_personas": entry("Personas", "skipped", reason="the study has no responses", seconds=None),
            "04_clv": entry("Value", "failed", reason="fit: no repeat <orders>", failed_report="failed/04_clv.html"),
            "05_ix_linkage": entry("Experience", "blocked", reason="needs 04_clv"),
        },
        "quarantine": [
            {"table": "orders", "rows_in": 123456, "accepted": 123000, "quarantined": 456,
             "reasons": {"after data_until": 56, "test order": 400}},
            {"table": "returns", "rows_in": 0, "accepted": 0, "quarantined": 0, "reasons": {}},
        ],
        "customer_file": {"rows": 23000, "sha256": "cd" * 32, "columns": ["person_id", "segment"]},
    }  # fmt: skip


@pytest.fixture
def index(tmp_path):
    def run(content):
        write_index(content, tmp_path / "index.html")
        return BeautifulSoup((tmp_path / "index.html").read_text(encoding="utf-8"), "html.parser")

    return run


def test_index_tells_what_the_run_found(index):
    soup = index(manifest())
    cards = [tuple(card.find(class_=name).get_text() for name in ("label", "value")) for card in soup.select(".card")]
    assert cards == [
        ("Customers", "23,456"),
        ("Net revenue", "$4.6m"),
        ("Repeat share", "42.3%"),
        ("Largest segment", "Hibernating"),
    ]
    assert "2 of 5 notebooks finished in 1\u00a0min 15\u00a0s (1 failed, 1 blocked, 1 skipped)." in soup.get_text()
    states = [state.get_text() for state in soup.select("td .state")]
    assert states == ["Done", "Done", "Skipped", "Failed", "Blocked"]
    for reason in ("the study has no responses", "fit: no repeat <orders>", "needs 04_clv"):
        assert reason in soup.get_text()
    links = {a["href"] for a in soup.find_all("a")}
    assert links == {"01_data_unification.html", "02_rfm_typology.html", "failed/04_clv.html"}
    assert [code.get_text() for code in soup.select("td code")][:2] == ["bins = 4", 'names = ["a"]']
    footer = soup.find("footer").get_text()
    for word in ("Waage 0.1.0", "duckdb", "abcdef0123", "local changes", "pandas 3.1.1"):
        assert word in footer


def test_index_accounts_for_quarantine(index):
    tables = [table for table in index(manifest()).find_all("table") if "Rows in" in table.get_text()]
    rows = [[cell.get_text("; ") for cell in row.find_all("td")] for row in tables[0].select("tbody tr")]
    assert rows == [
        ["orders", "123,456", "123,000", "456", "0.37%", "test order: 400; after data_until: 56"],
        ["returns", "0", "0", "0", "–", "–"],
    ]


def test_index_escapes_and_loads_nothing(index):
    soup = index(manifest())
    assert not soup.find_all("script")
    assert "<script>alert('x')</script> in 3 orders" in soup.get_text()
    assert loads(soup) == [] and "http" not in str(soup).replace("http-equiv", "")


def test_index_in_german_and_simulated(index):
    soup = index(manifest(language="de", simulated=True))
    text = soup.get_text(" ", strip=True)
    for word in ("simulierte Daten", "Kennzahlen", "23.456", "4,6\u00a0Mio.\u00a0$", "42,3\u00a0%", "Fehlgeschlagen",
                 "Zeilen in Quarantäne", "Die Kundendatei für andere Systeme hat 23.000 Zeilen"):  # fmt: skip
        assert word in text
    assert "simulated" in index(manifest(simulated=True)).find("header").get_text()


def test_index_of_a_run_under_way(index):
    content = manifest()
    content["run"].pop("seconds")
    content |= {"notebooks": {"01": entry("Who is who")}, "quarantine": [], "customer_file": None}
    text = index(content).get_text()
    assert "1 of 1 notebooks finished so far." in text
    for word in ("Warnings", "Headline figures", "quarantine", "customer file"):
        assert word not in text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (38.474, "USD", "$38.47"),
        (1234.5, "USD", "$1,234"),
        (0.5, "%", "50%"),
        (3.14159, "points", "3.14"),
        (31.4159, "", "31.4"),
        (float("nan"), "USD", "–"),
        (None, "%", "–"),
        (-2_500_000, "EUR", "−€2.5m"),
    ],
)
def test_figure(value, unit, text):
    assert figure(value, unit, "en")[0] == text
