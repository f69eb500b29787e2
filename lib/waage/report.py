"""Static reports: an executed notebook as one HTML file, and the index of a run.

Every file opens from a folder without a server and asks for nothing beyond itself; a content security policy
in its head makes the browser hold it to that.
"""

import datetime
import json
import os
import re
from pathlib import Path
from zoneinfo import ZoneInfo

from waage import style
from waage.errors import WaageError
from waage.markup import finish

TEMPLATES = Path(__file__).parent / "templates"

_WORDS = {
    "simulated": ("simulated data", "simulierte Daten"),
    "as_of": ("As of", "Stichtag"),
    "data_until": ("Data until", "Daten bis"),
    "money": ("Money", "Beträge"),
    "took": ("Run time", "Laufzeit"),
    "run_at": ("Run", "Lauf"),
    "back": ("All reports of this study", "Alle Berichte dieser Studie"),
    "made": ("Made with Waage.", "Erstellt mit Waage."),
    "failed": ("This report is incomplete: its notebook stopped with an error.",
               "Dieser Bericht ist unvollständig: Das Notebook brach mit einem Fehler ab."),
    "failed_where": ("Go to the place", "Zur Stelle springen"),
    "stopped": ("The notebook stopped here.", "Hier brach das Notebook ab."),
    "trace": ("Details for the analyst", "Einzelheiten für die Analyse"),
    "title": ("What this run found", "Was dieser Lauf ergab"),
    "headlines": ("Headline figures", "Kennzahlen"),
    "interval": ("{} interval {} to {}", "{}-Intervall {} bis {}"),
    "warnings": ("Warnings", "Warnungen"),
    "reports": ("Reports", "Berichte"),
    "report": ("Report", "Bericht"),
    "state": ("State", "Stand"),
    "started": ("Started", "Beginn"),
    "changed": ("Changed parameters", "Geänderte Parameter"),
    "unchanged": ("defaults", "Voreinstellung"),
    "quarantine": ("Rows in quarantine", "Zeilen in Quarantäne"),
    "quarantine_text": (
        "Rows that break a rule of the data contract are set aside with the reason; no figure counts them.",
        "Zeilen, die eine Regel des Datenvertrags verletzen, liegen mit ihrem Grund beiseite; keine Zahl enthält sie.",
    ),
    "table": ("Table", "Tabelle"),
    "rows_in": ("Rows in", "Zeilen gelesen"),
    "accepted": ("Accepted", "Angenommen"),
    "quarantined": ("In quarantine", "In Quarantäne"),
    "share": ("Share", "Anteil"),
    "reasons": ("Reasons", "Gründe"),
    "tables": ("Tables written", "Geschriebene Tabellen"),
    "tables_show": ("Show all tables", "Alle Tabellen zeigen"),
    "failed_report": ("How far it came", "Wie weit es kam"),
    "rows": ("Rows", "Zeilen"),
    "size": ("Size", "Größe"),
}  # fmt: skip


def export_html(executed: Path, html: Path, *, title: str, facts: dict[str, str], index: str = "index.html") -> None:
    """Write an executed notebook as one self-contained HTML file without code.

    Parameters
    ----------
    executed : Path
        The notebook with its outputs. Where it stopped with an error, the report says so and where.
    html : Path
        The file to write; it is replaced in one step.
    title : str
        Shown in the browser's tab, and on top if the notebook has no heading of the first level.
    facts : dict of str to str
        Name and value as shown in the head of the report (``header_facts`` makes them). ``study``,
        ``language`` (en, de) and ``simulated`` (a text, empty if the data are real) are not shown as pairs.
    index : str
        Where the index lies, seen from the report.
    """
    # nbconvert takes half a second to import, which commands that write no report should not pay
    import nbformat
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    notebook = nbformat.read(executed, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not _is_papermill_note(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_bare_object(output)]
    language = facts.get("language", "en")
    page = {
        "title": title,
        "study": facts.get("study", ""),
        "simulated": facts.get("simulated", ""),
        "facts": _pairs(facts),
        "index": index,
        "language": language,
        "words": _words(language),
        "failed": _has_failed(notebook),
    }
    # a table or a figure rather than a widget or a script, neither of which lives without a kernel
    shown = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain"]
    exporter = HTMLExporter(
        config=Config(NbConvertBase={"display_data_priority": shown}),
        template_name="waage",
        extra_template_basedirs=[str(TEMPLATES / "nbconvert")],
        extra_template_paths=[str(TEMPLATES)],
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        embed_images=True,
    )
    body, _ = exporter.from_notebook_node(
        notebook, {"waage": page, "metadata": {"name": title, "path": str(executed.parent)}}
    )
    _write(html, finish(body, title, language))


def write_index(manifest: dict, html: Path) -> None:
    """Write a study's ``index.html`` from the manifest of its last run.

    Parameters
    ----------
    manifest : dict
        ``study``, ``run``, ``notebooks``, ``quarantine`` and ``customer_file`` as the runner records them.
        A headline's unit is a currency code, ``%`` (the value is a share: 0.12 is 12 %) or a word.
    html : Path
        The file to write; it is replaced in one step.
    """
    import jinja2

    study, run = manifest["study"], manifest["run"]
    language = study["language"]
    notebooks = [_notebook(name, entry, study, run.get("started")) for name, entry in manifest["notebooks"].items()]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    text = environment.get_template("index.html.j2").render(
        language=language,
        study=study["name"],
        simulated=_words(language)["simulated"] if study.get("simulated") else "",
        words=_words(language),
        facts=_pairs(header_facts(study, run)),
        sentence=_sentence(notebooks, run, study),
        notebooks=notebooks,
        quarantine=[_quarantine(row, language) for row in manifest.get("quarantine") or []],
        tables=[row for name, entry in manifest["notebooks"].items() for row in _tables(name, entry, language)],
        customer_file=_customer_file(manifest.get("customer_file"), language),
        engine=_engine(manifest),
        versions=", ".join(f"{name} {version}" for name, version in (run.get("versions") or {}).items()),
    )
    _write(html, text)


def header_facts(study: dict, timed: dict) -> dict[str, str]:
    """Return what the head of a report says, for ``export_html``.

    Parameters
    ----------
    study : dict
        The manifest's entry ``study``.
    timed : dict
        A run or a notebook of the manifest: ``started`` (ISO, UTC unless it says otherwise) and ``seconds``.
    """
    language = study["language"]
    words = _words(language)
    facts = {
        "study": study["name"],
        "language": language,
        "simulated": words["simulated"] if study.get("simulated") else "",
        words["as_of"]: style.day(study.get("as_of"), language),
        words["data_until"]: style.day(study.get("data_until"), language),
        words["money"]: f"{study['currency']}, {style.label(study['money'], language)}",
    }
    if timed.get("started"):
        facts[words["run_at"]] = _moment(timed["started"], study)
    if timed.get("seconds") is not None:
        facts[words["took"]] = _duration(timed["seconds"], language)
    return facts


def figure(value, unit: str | None, language: str) -> tuple[str, str, bool]:
    """Return a raw headline value as (text, unit to print behind it, whether it is words)."""
    if isinstance(value, str):
        return value, style.label(unit, language) if unit else "", True
    whole = value is not None and value == value and float(value).is_integer()
    size = abs(float(value)) if value is not None and value == value else 0
    decimals = 0 if whole or size >= 100 else 1 if size >= 10 else 2
    if unit == "%":
        return style.percent(value, language, _percent_decimals(value)), "", False
    if unit and re.fullmatch("[A-Z]{3}", unit):
        if size >= 1_000_000:
            return style.compact(value, unit, language), "", False
        return style.money(value, unit, language, 2 if size < 100 and not whole else 0), "", False
    return style.number(value, language, decimals), style.label(unit, language) if unit else "", False


def _notebook(name: str, entry: dict, study: dict, run_started: str | None) -> dict:
    language = study["language"]
    cards = []
    for headline in entry.get("headlines") or []:
        text, unit, is_text = figure(headline["value"], headline.get("unit"), language)
        label = style.title(headline["key"], language)
        unit = "" if unit.lower() == label.lower() else unit  # "Persons: 23,456 persons" says it twice
        note = ""
        if headline.get("low") is not None:
            # An interval is written out: shortened to $1.1m both of its ends may look the same.
            written = style.money if re.fullmatch("[A-Z]{3}", unit_key := headline.get("unit") or "") else None
            ends = [
                written(headline[end], unit_key, language) if written else figure(headline[end], unit_key, language)[0]
                for end in ("low", "high")
            ]
            note = _words(language)["interval"].format(style.percent(headline.get("level", 0.95), language), *ends)
        cards.append({"label": label, "value": text, "unit": unit, "note": note, "text": is_text})
    return {
        "title": entry.get("title") or name,
        "status": entry["status"],
        "now": entry.get("run") in (None, run_started),
        "state": style.label(entry["status"], language),
        "reason": entry.get("reason") or "",
        "started": _moment(entry["started"], study) if entry.get("started") else style.MISSING,
        "took": _duration(entry.get("seconds"), language),
        "changed": {key: json.dumps(value, ensure_ascii=False) for key, value in (entry.get("changed") or {}).items()},
        "cards": cards,
        "warnings": entry.get("warnings") or [],
        "report": entry.get("report"),
        "failed_report": entry.get("failed_report"),
        "documents": entry.get("documents") or [],
    }


def _sentence(notebooks: list[dict], run: dict, study: dict) -> str:
    language = study["language"]
    notebooks = [notebook for notebook in notebooks if notebook["now"]]
    done = sum(notebook["status"] == "done" for notebook in notebooks)
    counts = [(s, sum(n["status"] == s for n in notebooks)) for s in ("failed", "blocked", "skipped")]
    others = ", ".join(f"{n} {style.label(s, language).lower()}" for s, n in counts if n)
    others = f" ({others})" if others else ""
    # the index is also written while a run is under way
    took = None if run.get("seconds") is None else _duration(run["seconds"], language)
    as_of = style.day(study.get("as_of"), language)
    if language == "de":
        text = f"{done} von {len(notebooks)} Notebooks sind {'nach ' + took if took else 'bisher'} fertig"
        return f"{text}{others}. Die Zahlen gelten zum {as_of}."
    text = f"{done} of {len(notebooks)} notebooks finished {'in ' + took if took else 'so far'}"
    return f"{text}{others}. The figures are as of {as_of}."


def _quarantine(row: dict, language: str) -> dict:
    share = row["quarantined"] / row["rows_in"] if row["rows_in"] else None
    reasons = sorted((row.get("reasons") or {}).items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "table": row["table"],
        **{key: style.number(row[key], language) for key in ("rows_in", "accepted", "quarantined")},
        "share": style.percent(share, language, 2) if share else style.percent(share, language),
        "reasons": [(reason, style.number(n, language)) for reason, n in reasons],
    }


def _tables(name: str, entry: dict, language: str) -> list[dict]:
    return [
        {
            "table": table,
            "notebook": entry.get("title") or name,
            "rows": style.number(output.get("rows"), language),
            "size": _size(output.get("bytes"), language),
            "sha256": (output.get("sha256") or style.MISSING)[:12],
        }
        for table, output in (entry.get("outputs") or {}).items()
    ]


def _customer_file(customer_file: dict | None, language: str) -> str:
    if not customer_file:
        return ""
    rows, columns = style.number(customer_file["rows"], language), customer_file.get("columns") or []
    columns = columns if isinstance(columns, int) else len(columns)
    mark = (customer_file.get("sha256") or "")[:12]
    if language == "de":
        return f"Die Kundendatei für andere Systeme hat {rows} Zeilen und {columns} Spalten (SHA-256 {mark}…)."
    return f"The customer file for other systems has {rows} rows and {columns} columns (SHA-256 {mark}…)."


def _engine(manifest: dict) -> str:
    run = manifest["run"]
    engine = ", ".join(f"{name} {value}".removeprefix("kind ") for name, value in (run.get("engine") or {}).items())
    git = run.get("git") or {}
    parts = [f"Waage {manifest['waage']}", engine]
    if git.get("commit"):
        parts.append(f"commit {git['commit'][:10]}{' + local changes' if git.get('dirty') else ''}")
    return " · ".join(part for part in parts if part)


def _has_failed(notebook) -> bool:
    return any(
        output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", [])
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )


def _is_papermill_note(cell) -> bool:
    return "papermill-error-cell-tag" in cell.metadata.get("tags", [])


def _is_bare_object(output) -> bool:
    """Return whether an output is nothing but the repr of an object, such as a last line ``ax.set_title(...)``."""
    if output.output_type != "execute_result" or set(output.data) != {"text/plain"}:
        return False
    return bool(re.fullmatch(r"\[?<.*>\]?|[A-Z]\w*\(.*\)", output.data["text/plain"], re.DOTALL))


def _words(language: str) -> dict[str, str]:
    style.label("rows", language)  # refuses an unknown language with the way out
    return {key: text[language == "de"] for key, text in _WORDS.items()}


def _pairs(facts: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in facts.items() if key not in ("study", "language", "simulated")}


def _moment(started: str, study: dict) -> str:
    moment = datetime.datetime.fromisoformat(started)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    moment = moment.astimezone(ZoneInfo(study["time_zone"]))
    return f"{style.day(moment, study['language'])}, {moment:%H:%M}"


def _duration(seconds: float | None, language: str) -> str:
    if seconds is None:
        return style.MISSING
    if seconds < 10:
        return f"{style.number(seconds, language, 1)}\u00a0s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}\u00a0h {minutes}\u00a0min"
    return f"{minutes}\u00a0min {rest}\u00a0s" if minutes else f"{rest}\u00a0s"


def _size(size: int | None, language: str) -> str:
    if size is None:
        return style.MISSING
    for factor, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= factor:
            return f"{style.number(size / factor, language, 1)}\u00a0{unit}"
    return f"{size}\u00a0B"


def _percent_decimals(share: float | None) -> int:
    return 0 if share is None or share != share or round(share * 100, 6).is_integer() else 1


def _write(path: Path, text: str) -> None:
    """Replace ``path`` in one step, so that a reader meets the old file or the new one."""
    path = Path(path)
    if not path.parent.is_dir():
        raise WaageError(f"{path.parent} is not a folder, so {path.name} cannot be written; make the folder first")
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        staged.write_text(text, encoding="utf-8")
        os.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)
