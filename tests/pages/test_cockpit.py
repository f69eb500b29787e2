"""The cockpit as a visitor meets it: served by Voila, opened in a browser."""

import contextlib
import datetime
import json
import shutil
import socket
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import nbformat
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from waage import pages

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SEGMENTS = {"champions": 40, "loyal": 30, "at_risk": 25, "cant_lose": 3, "hibernating": 60}
MONEY = pa.decimal128(18, 4)


def orders():
    """Known customers with one to three orders each, some anonymous ones, one cancelled, one after as_of."""
    made = []

    def add(person, day, net, counts=True):
        made.append(
            {
                "source": "shop",
                "order_id": f"o{len(made):05}",
                "person_id": person,
                "day": day,
                "counts": counts,
                "revenue": Decimal(net),
                "net_revenue": Decimal(net) if counts else Decimal(0),
            }
        )

    for i, person in enumerate(people()):
        for k in range(1 + i % 3):
            add(person[0], datetime.date(2024, 7, 1) + datetime.timedelta(days=(i * 7 + k * 31) % 330), 1000 + i)
    for i in range(20):
        add(None, datetime.date(2024, 8, 1 + i), 50)
    add("p0001", datetime.date(2025, 3, 1), 70_000, counts=False)
    add("only-later", datetime.date(2025, 7, 5), 90_000)
    return made


def people():
    segments = [segment for segment, size in SEGMENTS.items() for _ in range(size)]
    return [(f"p{i:04}", segment) for i, segment in enumerate(segments)]


def write_tables(folder: Path) -> None:
    folder.mkdir(parents=True)
    schema = pa.schema(
        [
            ("source", pa.string()),
            ("order_id", pa.string()),
            ("person_id", pa.string()),
            ("day", pa.date32()),
            ("counts", pa.bool_()),
            ("revenue", MONEY),
            ("net_revenue", MONEY),
        ]
    )
    pq.write_table(pa.Table.from_pylist(orders(), schema), folder / "customer_orders.parquet")
    ids, segments = zip(*people(), strict=True)
    leads = [f"lead{i}" for i in range(500)]  # no order that counts: no bar of their own
    scored = {"person_id": [*ids, *leads], "segment": [*segments, *[None] * len(leads)]}
    pq.write_table(pa.table(scored), folder / "rfm.parquet")
    expected = [0.5 + i % 4 for i in range(len(ids))]
    pq.write_table(pa.table({"person_id": ids, "expected_orders": expected}), folder / "clv.parquet")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("home")
    (root / "pyproject.toml").touch()
    shutil.copytree(ROOT / "notebooks" / "pages", root / "notebooks" / "pages")
    for name, language in (("tiny", "en"), ("leer", "de")):
        folder = root / "data" / name
        folder.mkdir(parents=True)
        (folder / "study.yaml").write_text(
            f"name: {name}\nlanguage: {language}\ncurrency: USD\nmoney: net\ntime_zone: Europe/Berlin\n"
            "data_until: 2025-07-31\nas_of: 2025-06-30\nmin_cell: 10\n"
        )
    write_tables(root / "data" / "tiny" / "tables")
    (root / "reports" / "tiny").mkdir(parents=True)
    manifest = {"notebooks": {"04_clv": {"parameters": {"horizon_months": 12}}}}
    (root / "reports" / "tiny" / "manifest.json").write_text(json.dumps(manifest))
    broken = new_notebook(
        cells=[
            new_markdown_cell("# Broken"),
            new_code_cell("raise ValueError('private detail')"),
            new_code_cell("print('never reached')"),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(broken, root / "notebooks" / "pages" / "broken.ipynb")
    # a stray settings file beside the pages and in the working directory must not matter
    for folder in (root, root / "notebooks" / "pages"):
        (folder / "voila.json").write_text('{"VoilaConfiguration": {"strip_sources": false, "show_tracebacks": true}}')
    return root


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (looked for chromium, chromium-browser, google-chrome)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def serving(study, home):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return pages.running(study, port, root=home), f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def tiny(home, browser):
    context, address = serving("tiny", home)
    with context as server:
        yield server, address


def visit(browser, address, path="voila/render/cockpit.ipynb", ready=".cards, .notice"):
    """Open a page; returns it with every address it asked for and every HTML text it was sent."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    response = page.goto(address + path, timeout=60_000)
    page.sent = response.text()
    page.wait_for_selector(ready, state="visible", timeout=60_000)
    return page


def leave(page):
    # a visitor's browser says goodbye; page.close() alone does not
    page.goto("about:blank")
    page.close()


def kernels(server):
    found = set()
    for child in psutil.Process(server.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it may end while we look at it
            if "ipykernel" in " ".join(child.cmdline()):
                found.add(child.pid)
    return found


@pytest.fixture(scope="module")
def cockpit(browser, tiny):
    page = visit(browser, tiny[1])
    page.wait_for_load_state("networkidle")
    yield page
    leave(page)


def test_figures_are_those_of_the_tables(cockpit):
    page = cockpit
    page.wait_for_function("document.querySelectorAll('.jp-RenderedImage img').length === 2")
    shown = {card.query_selector(".label").inner_text(): card for card in page.query_selector_all(".card")}
    values = {label: card.query_selector(".value").inner_text() for label, card in shown.items()}
    seen = [order for order in orders() if order["day"] <= datetime.date(2025, 6, 30)]
    counting = [order for order in seen if order["counts"]]
    known = [order for order in counting if order["person_id"]]
    revenue = sum(order["net_revenue"] for order in seen)
    expected = sum(0.5 + i % 4 for i in range(sum(SEGMENTS.values())))
    assert values == {
        "Customers": f"{len({order['person_id'] for order in known}):,}",
        "Orders": f"{len(counting):,}",
        "Net revenue": f"${round(revenue / 1000):,}k",
        "Expected purchase days": f"{expected:,.0f}",
    }
    assert values["Customers"] == "158"
    notes = {label: card.query_selector(".note") for label, card in shown.items()}
    assert notes["Orders"].inner_text() == f"{len(known) / len(counting):.0%} of them from known customers"
    assert notes["Expected purchase days"].inner_text() == "over the next 12 months, from 158 customers"
    first, last = min(order["day"] for order in seen), max(order["day"] for order in seen)
    assert (
        notes["Net revenue"].inner_text() == f"{first.day} {first:%B} {first.year} – {last.day} {last:%B} {last.year}"
    )
    head = page.inner_text("header.band")
    assert "tiny" in head and "30 June 2025" in head and "USD, excl. VAT" in head
    assert not page.query_selector(".notice")
    assert all(page.eval_on_selector_all("img", "found => found.map(img => img.complete && img.naturalWidth > 600)"))


def test_nothing_leaves_the_machine_and_no_insides_are_shown(cockpit, tiny):
    page = cockpit
    hosts = Counter(address.split("/")[2] for address in page.asked if not address.startswith(("data:", "blob:")))
    assert list(hosts) == [tiny[1].split("/")[2]]
    assert "https://" not in page.sent.split("<body")[1]
    for inside in ("study.read", "mask_small", "Traceback", "import ibis", "customer_orders.parquet"):
        assert inside not in page.sent and inside not in page.content()
    assert page.title() == "The customer base at a glance"


def test_a_page_that_is_left_leaves_no_kernel(browser, tiny):
    before = kernels(tiny[0])
    page = visit(browser, tiny[1])
    own = kernels(tiny[0]) - before
    assert len(own) == 1
    leave(page)
    until = time.monotonic() + 20
    while own & kernels(tiny[0]) and time.monotonic() < until:
        time.sleep(0.2)
    assert not own & kernels(tiny[0])


def test_an_error_is_a_sentence_for_visitors(browser, tiny):
    page = visit(browser, tiny[1], "voila/render/broken.ipynb", ready=".notice.failure")
    assert page.inner_text(".notice.failure") == pages._ERROR["en"]
    for inside in ("private detail", "ValueError", "never reached", "Traceback", "show_tracebacks"):
        assert inside not in page.sent and inside not in page.content()
    leave(page)


def test_list_of_pages_and_unknown_page(browser, tiny):
    page = visit(browser, tiny[1], "", ready="h1")
    links = {link.inner_text(): link.get_attribute("href") for link in page.query_selector_all("main a")}
    assert links == {
        name: f"/voila/render/{name.lower()}.ipynb" for name in ("Broken", "Cockpit", "Experience", "Personas")
    }
    page.close()
    page = visit(browser, tiny[1], "voila/render/nothing.ipynb", ready="h1")
    assert page.inner_text("h1") == "There is no such page"
    assert not [address for address in page.asked if not address.startswith((tiny[1], "data:"))]
    page.close()


def test_a_study_without_results_says_so(browser, home):
    context, address = serving("leer", home)
    with context:
        page = visit(browser, address)
        page.wait_for_load_state("networkidle")
        assert [notice.inner_text() for notice in page.query_selector_all(".notice")] == [
            "Zur Studie leer liegen noch keine Ergebnisse vor; „waage run leer“ erzeugt sie."
        ]
        assert not page.query_selector(".card") and not page.query_selector(".jp-RenderedImage")
        assert "Traceback" not in page.content()
        page.close()
