"""Personas of an invented survey, made by the library itself, and the browser that shows them."""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenfabrik <b>& Söhne</b> in aller Ausführlichkeit erzählt"


@pytest.fixture(scope="session")
def persona_study() -> Callable[..., SimpleNamespace]:
    """Make personas, findings and catalogue; `long` gives labels that are too long and full of markup."""
    from waage.personas.findings import findings
    from waage.personas.persona import personas, sizes_by_type
    from waage.personas.topics import catalogue

    @cache
    def make(language: str = "en", long: bool = False, people: tuple[int, ...] = (300, 260, 240)) -> SimpleNamespace:
        rng = np.random.default_rng(7)
        n, names = sum(people), [f"type_{i + 1}" for i in range(len(people))]
        kind = np.repeat(np.arange(len(people)), people)
        posterior = np.eye(len(people))[kind]
        constructs = ["price", "inspiration", "speed", "quality", "family", "advice", "ease"]
        frame, items = {}, {}
        for i, construct in enumerate(constructs):
            share = np.where(kind == i % len(people), 0.75, 0.35)
            frame[f"q{i}"] = (rng.random(n) < share).astype(float)
            items[f"q{i}"] = ("scale", construct, f"{construct} matters when I shop", f"{construct} zählt beim Einkauf")
        for i, about in enumerate(["technology", "furnishing", "children", "sports"]):
            frame[f"i{i}"] = (rng.random(n) < np.where(kind == (i + 1) % len(people), 0.7, 0.4)).astype(float)
            items[f"i{i}"] = ("binary", "interest", f"Interest: {about}", f"Interesse: {about}")
        for trait, levels in {"age_group": ["16-29", "30-44", "45-59", "60+"], "gender": ["f", "m"]}.items():
            drawn = np.array(levels)[rng.integers(0, len(levels), n)]
            frame[trait] = np.where(rng.random(n) < 0.3, np.array(levels)[kind % len(levels)], drawn)
            items[trait] = ("trait", "", trait.replace("_", " "), {"age_group": "Alter", "gender": "Geschlecht"}[trait])
        frame["orders_per_year"] = rng.gamma(2, 1 + 0.5 * kind)
        frame["order_value"] = np.exp(4 + 0.3 * kind + 0.4 * rng.normal(size=n))
        for i, channel in enumerate(["web", "app", "store"]):
            frame[f"channel_{channel}"] = rng.beta(2 + 2 * (kind == i), 4)
        for i, category in enumerate(["women", "kids", "electronics"]):
            frame[f"category_{category}"] = rng.beta(2 + 3 * (kind == i), 6)
        book = pd.DataFrame.from_dict(items, orient="index", columns=["kind", "construct", "label", "label_de"])
        if long:
            book["label"] = book["label_de"] = [f"{name} {LONG}" for name in book.index]
        variables = pd.DataFrame(frame)
        known = catalogue(variables.columns, book)
        sources = {name: "responses" if name in items else "behaviour" for name in frame}
        table = findings(posterior, np.ones(n), variables, names, active=list(frame), sources=sources)
        revenue = variables["orders_per_year"] * variables["order_value"]
        made = personas(
            table,
            known,
            language=language,
            sizes=sizes_by_type(posterior, np.ones(n), names, revenue, customers=12345),
            labels={names[0]: LONG} if long else None,
            first_names=True,
            basis={
                "kind": "types", "study": "invented", "respondents": n, "simulated": True,
                "field_period": "1 March to 30 April 2025", "weighting": "weighted to age and sex of all customers",
            },
        )  # fmt: skip
        return SimpleNamespace(personas=[one.to_dict() for one in made], findings=table, known=known)

    return make


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """An installed Chromium; it is never downloaded."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (looked for chromium, chromium-browser, google-chrome)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def opened(chromium) -> Iterator[Callable]:
    """Open HTML at a width in pixels, on screen or on paper; the page knows what it asked the network for."""
    pages = []

    def show(html: str, width: int, media: str = "screen"):
        page = chromium.new_page(viewport={"width": width, "height": 1039})
        pages.append(page)
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.emulate_media(media=media)
        page.set_content(html)
        return page

    yield show
    for page in pages:
        page.close()


OVERFLOW = """() => {
  const bad = [], told = e => [e.tagName, String(e.className), e.textContent.slice(0, 60)];
  for (const e of document.querySelectorAll('body, body *')) {
    if (e.closest('svg') && e.tagName !== 'svg') continue;
    if (e.clientWidth && e.scrollWidth > e.clientWidth + 1) bad.push(['wide', ...told(e)]);
    const box = e.getBoundingClientRect();
    if (box.width && (box.left < -1 || box.right > innerWidth + 1)) bad.push(['out', ...told(e)]);
  }
  for (const svg of document.querySelectorAll('svg')) {
    const whole = svg.getBoundingClientRect();
    for (const text of svg.querySelectorAll('text')) {
      const box = text.getBoundingClientRect();
      const out = box.left < whole.left - 1 || box.right > whole.right + 1 || box.bottom > whole.bottom + 1;
      if (out) bad.push(['svg', text.textContent]);
    }
  }
  return bad;
}"""


@pytest.fixture(scope="session")
def overflow() -> str:
    """JavaScript that lists what is wider than its box, outside the window, or text outside its picture."""
    return OVERFLOW
