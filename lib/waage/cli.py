"""The command line: `waage run`, `waage demo`, `waage ix-plan`, `waage review`, `waage assign` and `waage pages`."""

import logging
import time
import warnings
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from waage.errors import WaageError

if TYPE_CHECKING:
    from waage.notebook import Notebook
    from waage.run import Listener, Result
    from waage.study import Study

app = typer.Typer(help="A CRM and CX research workbench.", no_args_is_help=True, add_completion=False)
console = Console(highlight=False, soft_wrap=True)
_MARKS = {"done": "[green]done[/]", "failed": "[red]failed[/]", "skipped": "skipped", "blocked": "[yellow]blocked[/]"}


@app.command()
def run(
    study: Annotated[str, typer.Argument(help="a folder under data/, such as completejourney")],
    only: Annotated[str, typer.Option(help="notebooks to run, such as 02,04; all of them if left out")] = "",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="a parameter, such as 04_clv.horizon_months=6; may be repeated")
    ] = None,
) -> None:
    """Run a study's notebooks from its sources to its reports."""
    from waage.run import plan_run
    from waage.run import run as carry_out

    _quiet()
    start = time.monotonic()
    try:
        plan = plan_run(study, tuple(part.strip() for part in only.split(",") if part.strip()), tuple(settings or ()))
        with _progress() as progress:
            results = carry_out(plan, _listener(progress))
    except WaageError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"cannot write {error.filename or 'a file'}: {error.strerror}")
    except KeyboardInterrupt:
        console.print("interrupted; tables and reports are as the last finished notebook left them")
        raise typer.Exit(130) from None
    index = plan.study.reports / "index.html"
    console.print(f"{time.monotonic() - start:.0f} s; reports: {escape(str(index.relative_to(plan.study.root)))}")
    if any(result.status in ("failed", "blocked") for result in results):
        raise typer.Exit(1)


@app.command()
def demo(
    persons: Annotated[int, typer.Option(help="real persons behind the sources", min=1)] = 20_000,
    weeks: Annotated[int, typer.Option(help="weeks of history", min=60)] = 156,
    units: Annotated[int, typer.Option(help="panel units of the experience measurement", min=2, max=24)] = 24,
    seed: Annotated[int, typer.Option(help="equal seeds give equal files", min=0)] = 7,
    out: Annotated[str, typer.Option(help="folder that gets raw/ and truth/")] = "",
    junk: Annotated[float, typer.Option(help="factor on shared junk values and test records", min=0)] = 1.0,
    reverse_causality: Annotated[bool, typer.Option(help="a busy week worsens the experience")] = False,
    diversion: Annotated[float, typer.Option(help="share of an effect taken from other units", min=0, max=1)] = 0.0,
    ix_null: Annotated[bool, typer.Option(help="experience has no effect at all")] = False,
) -> None:
    """Generate the simulated retailer: what its systems would export, and beside it the truth."""
    from pathlib import Path

    from waage.demo import Settings, generate
    from waage.study import find_root

    try:
        folder = Path(out) if out else find_root() / "data" / "demo"
        settings = Settings(persons, weeks, units, seed, junk, reverse_causality, diversion, ix_null)
        with _progress() as progress:
            task = progress.add_task("simulated retailer", total=settings.chunks + 1)
            generate(settings, folder, lambda done, of: progress.update(task, completed=done, total=of))
    except WaageError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"cannot write {error.filename or 'a file'}: {error.strerror}")
    console.print(
        f"simulated: {persons:,} persons, {weeks} weeks, seed {seed}; raw/ and truth/ in {escape(str(folder))}"
    )


@app.command("ix-plan")
def ix_plan(
    units: Annotated[str, typer.Option(help="numbers of units to compare, such as 8,16,24")] = "8,16,24",
    weeks: Annotated[str, typer.Option(help="weeks of measurement")] = "52,104,156",
    answers: Annotated[str, typer.Option(help="answers a unit and week")] = "60,150,400",
    within_sd: Annotated[float, typer.Option(help="SD of the experience within a unit (points)", min=0.1)] = 2.0,
    language: Annotated[str, typer.Option(help="en or de")] = "en",
    form: Annotated[bool, typer.Option("--form", help="print the questionnaire and its trigger rule instead")] = False,
    items: Annotated[str, typer.Option(help="write the questionnaire as items.csv to this file")] = "",
) -> None:
    """Say how large an effect of the experience a measurement could show, before there is one."""
    from waage.ix import ix_plan as plan
    from waage.ix import questionnaire_items, questionnaire_text

    def numbers(text: str, name: str) -> list[int]:
        try:
            return [int(part) for part in text.split(",")]
        except ValueError:
            raise WaageError(f"--{name}: {text!r} is no list of whole numbers such as 8,16,24") from None

    try:
        if items:
            questionnaire_items().to_csv(items, index=False)
            console.print(f"questionnaire: {escape(items)}")
        if form:
            console.print(questionnaire_text(language))
        if form or items:
            return
        plans = [numbers(*pair) for pair in ((units, "units"), (weeks, "weeks"), (answers, "answers"))]
        found = plan(*plans, within_sd=within_sd)
        console.print(f"{'units':>6}{'weeks':>7}{'answers':>9}{'blocks':>8}{'smallest effect':>17}")
        for row in found.table.itertuples():
            effect = f"{100 * row.smallest_effect:.2f} %" if row.smallest_effect == row.smallest_effect else "refused"
            block = "-" if effect == "refused" else row.block_weeks
            console.print(f"{row.units:>6}{row.weeks:>7}{row.answers:>9}{block:>8}{effect:>17}")
        console.print(found.sentence(language))
    except WaageError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"cannot write {error.filename or 'a file'}: {error.strerror}")


@app.command()
def review(
    study: Annotated[str, typer.Argument(help="a study whose sources have been unified")],
    read: Annotated[str, typer.Option(help="a filled-in sheet: verdicts same, different or unsure")] = "",
    decide: Annotated[bool, typer.Option("--decide", help="turn the verdicts into decisions.csv; with --read")] = False,
    who: Annotated[str, typer.Option(help="who judged, for decisions.csv", envvar="USER")] = "clerk",
    per_band: Annotated[int, typer.Option(help="pairs to judge in each stratum", min=1)] = 50,
    force: Annotated[bool, typer.Option("--force", help="overwrite a sheet that holds verdicts")] = False,
) -> None:
    """Draw pairs of records for a person to judge, or read the verdicts: how many of the links are right?"""
    from waage.study import Study

    try:
        if decide and not read:
            raise WaageError("--decide turns verdicts into decisions: name the filled-in sheet with --read FILE")
        opened = Study.open(study)
        _read_verdicts(opened, read, decide, who) if read else _draw_pairs(opened, per_band, force)
    except WaageError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"cannot open or write {error.filename or 'a file'}: {error.strerror}")


@app.command()
def assign(
    study: Annotated[str, typer.Argument(help="a study in which notebook 02 has found types")],
    file: Annotated[str, typer.Argument(help="new customers, Parquet or CSV: one row each, see --columns")] = "",
    out: Annotated[str, typer.Option(help="Parquet file to write; beside the other if left out")] = "",
    columns: Annotated[bool, typer.Option("--columns", help="say which columns the file needs, and stop")] = False,
    force: Annotated[bool, typer.Option("--force", help="type although behaviour does not carry the types")] = False,
) -> None:
    """Type new customers by what they did, from the model that the study keeps."""
    from waage.study import Study

    try:
        _assign(Study.open(study), file, out, columns, force)
    except WaageError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"cannot write {error.filename or 'a file'}: {error.strerror}")


@app.command()
def pages(
    study: Annotated[str, typer.Argument(help="a study that has been run")],
    port: Annotated[int, typer.Option(help="port on 127.0.0.1")] = 8866,
) -> None:
    """Serve the read-only pages of a study on 127.0.0.1."""
    from waage.pages import serve
    from waage.study import Study

    try:
        opened = Study.open(study)
        console.print(f"pages of {opened.name}: http://127.0.0.1:{port}/  (Ctrl-C ends them)")
        serve(opened.name, port, root=opened.root)
    except WaageError as error:
        _fail(str(error))


def _assign(study: "Study", file: str, out: str, columns: bool, force: bool) -> None:
    from pathlib import Path

    from rich.table import Table

    from waage.privacy import objectors
    from waage.typology import assignment, new_customers, types

    model = new_customers.stored_typing(types.kept_model(study.kept("types"), study.config.as_of), study.name, force)
    if columns or not file:
        table = Table("column", "meaning", box=None)
        for row in new_customers.wanted_columns(model).itertuples(index=False):
            table.add_row(*map(escape, row))
        console.print(table)
        return
    source = Path(file)
    target = Path(out) if out else source.with_suffix(".types.parquet")
    if target.suffix != ".parquet" or target.resolve() == source.resolve():
        raise WaageError(f"--out {target}: name a .parquet file other than the one that is read")
    customers = study.engine.read_file(source)
    barred = objectors(study.read("person_consents")) if study.has("person_consents") else None
    typed = new_customers.type_new_customers(customers, model, barred)
    written = study.engine.write(typed, target, ("person_id",))
    shown = Table("type", "persons", "share", "most probable", "of these unclear", box=None)
    found = study.engine.read(target)
    for row in assignment.expected_shares(found.filter(found.type.notnull()), model.types).itertuples():
        shown.add_row(row.type, f"{row.customers:,.0f}", f"{row.share:.1%}", f"{row.assigned:,}", f"{row.unclear:,}")
    console.print(shown)
    moved = assignment.drift(customers, found.filter(found.type.notnull()), model)
    moved = moved[(moved.kind == "feature") & (moved.band == "shifted")].head(5)
    if len(moved) and written.rows >= 100:
        told = ", ".join(f"{row.name} (PSI {row.psi:.1f})" for row in moved.itertuples(index=False))
        console.print(f"[yellow]unlike the customers the model was trained on:[/] {escape(told)}")
    untyped = int(found.type.isnull().sum().execute())
    without = f"; {untyped:,} object to profiling and have no type" if untyped else ""
    console.print(f"{written.rows:,} persons, model of {model.as_of}: {escape(str(target))}{without}")


def _draw_pairs(study: "Study", per_band: int, force: bool) -> None:
    from waage.unify import review, sheet

    sample = review.review_sample(study.read("edges"), per_band, study.config.seed).execute()
    if sample.empty:
        raise WaageError(f"study {study.name} has no linked pairs and none in the review band: nothing to judge")
    folder = study.folder / "review"
    folder.mkdir(exist_ok=True)
    pairs = folder / "pairs.csv"
    delimiter = ";" if study.config.language == "de" else ","  # what the reader's spreadsheet expects
    sheet.write_sheet(review.review_sheet(sample, study.read("identities")), pairs, delimiter, force)
    sheet.write_sample(sample, folder / "sample.csv")
    console.print(f"{len(sample)} pairs to judge: {escape(str(pairs.relative_to(study.root)))}")
    console.print("PERSONAL DATA in clear: keep this file in its folder (not in git) and delete it after the review")
    console.print("fill the column verdict with same, different or unsure, then read it with --read")


def _read_verdicts(study: "Study", file: str, decide: bool, who: str) -> None:
    from pathlib import Path

    from rich.table import Table

    from waage.publication import write_json
    from waage.unify import review, sheet

    sample = sheet.read_sample(study.folder / "review" / "sample.csv")
    verdicts = sheet.read_verdicts(Path(file), sample)
    result, today = review.review_result(sample, verdicts), time.strftime("%Y-%m-%d")
    study.state.mkdir(exist_ok=True)
    write_json(study.state / "review.json", {"read_on": today} | result)
    table = Table("one person", "share", "low", "high", "n", "unsure", "missing", "if unsure differ..agree", box=None)
    groups = (("linked (precision)", result["linked"]), ("review band", result["review"]))
    for name, found in (*groups, *((f"  {stratum['stratum']}", stratum) for stratum in result["strata"])):
        keys = ("share_same", "low", "high", "share_if_unsure_different", "share_if_unsure_same")
        share, low, high, least, most = ("-" if found[key] is None else f"{found[key]:.3f}" for key in keys)
        counts = (str(found["same"] + found["different"]), str(found["unsure"]), str(found["missing"]))
        table.add_row(escape(name), share, low, high, *counts, f"{least}..{most}")
    console.print(table)
    if decide:
        decisions = review.review_decisions(sample, verdicts, who or "clerk", today)
        added = sheet.append_decisions(study.folder / "decisions.csv", decisions)
        console.print(f"{added} decisions appended to data/{study.name}/decisions.csv")


def _progress() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _listener(progress: Progress) -> "Listener":
    from waage.run import Listener

    running: dict = {}

    def started(notebook: "Notebook") -> None:
        running.update(name=notebook.name, task=progress.add_task(notebook.name, total=notebook.code_cells))
        if not console.is_terminal:
            console.print(f"{notebook.name} ...")

    def cell(number: int, cell_id: str) -> None:
        progress.update(running["task"], advance=1, description=f"{running['name']}  cell {number} ({cell_id})")

    def ended(result: "Result") -> None:
        progress.remove_task(running["task"])
        reason = f": {escape(result.reason)}" if result.reason else ""
        console.print(f"{result.name:<24} {_MARKS[result.status]:<8} {result.seconds:5.1f} s{reason}")

    return Listener(started, cell, ended)


def _fail(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]waage:[/] {escape(text)}")
    raise typer.Exit(1)


def _quiet() -> None:
    """Keep other people's notices out of our lines."""
    logging.getLogger("papermill").setLevel(logging.ERROR)
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="papermill|nbclient|jupyter_client|zmq")
