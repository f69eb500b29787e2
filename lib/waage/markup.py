"""The HTML of a converted notebook as readers get it: designed tables, a list of contents, nothing that loads."""

import re

from waage import style

_LOADING_CSS = re.compile(r"@import[^;]*;?|url\(\s*['\"]?(?!data:|#)[^)]*\)", re.IGNORECASE)
_NUMBER = re.compile(
    r"[−+-]?\s?([$€£¥]|[A-Z]{3}\s)?[−+-]?(∞|\d[\d.,]*(e[+-]?\d+)?)"
    r"\s?(%|k|m|bn|Tsd\.|Mio\.|Mrd\.)?\s?([$€£¥]|[A-Z]{3})?( \([^()]* (to|bis) [^()]*\))?|hidden|verdeckt"
)
_SHORT = 28  # characters that a column may keep on one line
_NOTHING = {"", "–", "NaN", "nan", "None", "<NA>", "NaT"}
_LEFT_OUT = ("...", "…")


def finish(body: str, title: str, language: str) -> str:
    """Return a converted notebook with designed tables, a list of contents, and nothing that runs or loads.

    Parameters
    ----------
    body : str
        A whole HTML page with a ``main``.
    title : str
        The heading where the page has none of the first level.
    language : str
        Of table heads and stored keys in tables (en, de).
    """
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body, "html.parser")
    _cut_loads(soup)
    main = soup.find("main")
    if main.find("h1") is None:
        heading = soup.new_tag("h1")
        heading.string = title
        main.insert(0, heading)
    for table in main.find_all("table"):
        _design(table, language, soup)
    above = title
    for tag in main.find_all(["h1", "h2", "h3", "img"]):
        if tag.name != "img":
            above = tag.get_text(strip=True)
        elif not tag.get("alt"):
            tag["alt"] = above
    _add_contents(main, soup)
    return str(soup)


def _cut_loads(soup) -> None:
    """Take out whatever would run or fetch; links that a reader may follow stay."""
    for tag in soup.select("main style.house"):  # the head of the report holds it once for all pieces
        tag.decompose()
    for tag in soup.find_all(["script", "iframe", "object", "embed", "base", "link", "source", "video", "audio"]):
        if not (tag.name == "link" and tag.get("href", "").startswith("data:")):
            tag.decompose()
    for tag in soup.find_all(True):
        for name in [key for key in tag.attrs if key.startswith("on") or key in ("srcset", "poster", "background")]:
            del tag[name]
        if tag.name in ("image", "use", "feimage"):
            for name in ("href", "xlink:href"):
                if not tag.get(name, "#").startswith(("#", "data:")):
                    del tag[name]
        if "src" in tag.attrs and not tag["src"].startswith("data:"):
            del tag["src"]
        if "style" in tag.attrs:
            tag["style"] = _LOADING_CSS.sub("", tag["style"])
        if tag.name == "style" and tag.string:
            tag.string = _LOADING_CSS.sub("", tag.string)


def _design(table, language: str, soup) -> None:
    """Drop an index that only counts rows, align numbers, spell out stored keys, let wide tables scroll."""
    del table["border"]
    for tag in table.parent.find_all("style", recursive=False):
        if "dataframe" in (tag.string or ""):
            tag.decompose()
    rows = table.select("tbody tr")
    head = table.select("thead tr")
    if len(head) == 2:
        _join_index_names(head)
    elif rows and len(head) == 1 and _only_counts(head[0], rows):
        for row in [*head, *rows]:
            row.find(["th", "td"]).decompose()
    for row in head:
        for th in row.find_all("th"):
            text = th.get_text(strip=True)
            if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", text):
                th.string = style.title(text, language)
    cells = [row.find_all(["th", "td"]) for row in rows]
    heads = [row.find_all("th") for row in head]
    for position in range(1, max(map(len, cells), default=0) + 1):
        # counted from the right, because an index over several rows shortens rows on the left
        above = [row[-position] for row in heads if len(row) >= position]
        _design_column([row[-position] for row in cells if len(row) >= position], above, language)
    table.wrap(soup.new_tag("div", attrs={"class": "scroll"}))


def _design_column(column: list, above: list, language: str) -> None:
    """Give a column's cells (and the heads above them) one form: labels, or numbers to the right, or plain text."""
    if any(cell.find(True) for cell in column):
        return
    texts = [cell.get_text(strip=True) for cell in column]
    said = [text for text in texts if text not in _NOTHING and text not in _LEFT_OUT]
    name = " ".join(head.get_text(strip=True) for head in above).lower()
    if said and all(text in style.LABELS for text in said):
        texts = [style.label(text, language) if text in style.LABELS else text for text in texts]
    elif said and all(map(_NUMBER.fullmatch, said)):
        texts = _same_decimals(texts, is_id=bool(re.search(r"\bid$", name)), language=language)
        for cell in [*column, *above]:
            cell["class"] = [*cell.get("class", []), "num"]
            cell.attrs.pop("style", None)
    elif all(len(text) <= _SHORT for text in texts):
        for cell in column:
            cell["class"] = [*cell.get("class", []), "short"]
    for cell, text in zip(column, texts, strict=True):
        cell.string = style.MISSING if text in _NOTHING else text


def _same_decimals(texts: list[str], is_id: bool, language: str) -> list[str]:
    """pandas writes whole numbers with decimals where a column has gaps, and never separates thousands."""
    point = "," if language == "de" else "."
    if all(set(text.partition(point)[2]) <= {"0"} for text in texts if text not in _LEFT_OUT):
        texts = [text if text in _LEFT_OUT else text.partition(point)[0] for text in texts]
    whole = [text for text in texts if re.fullmatch(r"-?\d+", text)]
    # up to four digits may be a year
    if whole and not is_id and max(len(text.lstrip("-")) for text in whole) > 4:
        texts = [style.number(int(text), language) if text in whole else text for text in texts]
    return texts


def _only_counts(head, rows: list) -> bool:
    """Return whether the index has no name and numbers the rows from 0; rows may be left out at "..."."""
    counts = [row.find("th") for row in rows]
    if head.find(["th", "td"]).get_text(strip=True) or not all(counts):
        return False
    last = -1
    for text in (th.get_text(strip=True) for th in counts):
        if text in _LEFT_OUT:
            last = None
        elif not text.isdecimal() or (last is not None and int(text) not in (0, last + 1)):
            return False
        else:
            last = int(text)
    return True


def _join_index_names(head: list) -> None:
    """pandas gives a named index a header row of its own; move the names up where that row is otherwise empty."""
    upper, lower = (row.find_all("th") for row in head)
    names = [th.get_text(strip=True) for th in lower]
    width = sum(name != "" for name in names)
    if len(upper) == len(lower) and not any(names[width:]) and not any(th.get_text(strip=True) for th in upper[:width]):
        for above, name in zip(upper, names[:width], strict=False):
            above.string = name
        head[1].decompose()
        del head[1]


def _is_page(tag) -> bool:
    return tag.name == "article" or (tag.name == "section" and not {"cell", "prose"} & set(tag.get("class", [])))


def _add_contents(main, soup) -> None:
    # What a cell shows as a page of its own (a poster, a sheet) has headings of its own.
    headings = [heading for heading in main.find_all("h2") if not heading.find_parent(_is_page)]
    if len(headings) < 3:
        return
    contents = soup.new_tag("nav", attrs={"class": "contents"})
    for i, heading in enumerate(headings, 1):
        heading["id"] = f"section-{i}"
        link = soup.new_tag("a", href=f"#section-{i}")
        link.string = heading.get_text(strip=True)
        contents.append(link)
        contents.append(" ")
    title = main.find("h1")
    # below the question that goes with the title, where the title's cell holds both
    (title if title.parent is main else title.parent).insert_after(contents)
