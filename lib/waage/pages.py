"""Pages for everybody: the server that shows them, and the pieces they are made of.

Voila runs stand-alone, on this machine alone, over a folder that holds nothing but pages. Whoever wants to
reach them from elsewhere puts a proxy with a login in front.
"""

import datetime
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from waage import style
from waage.errors import WaageError, did_you_mean
from waage.report import TEMPLATES

HOST = "127.0.0.1"
CELL_SECONDS = 60  # pages read tables; a cell that takes longer is stuck
IDLE_SECONDS = 900  # then a kernel that no one uses is stopped

_ERROR = {
    "en": "This page cannot be shown completely. Please tell whoever runs the workbench; its log holds the reason.",
    "de": "Diese Seite lässt sich nicht vollständig zeigen. Bitte geben Sie der Stelle Bescheid, die die Werkbank "
    "betreibt; der Grund steht in deren Protokoll.",
}
_SLOW = {
    "en": "This page took too long and was stopped. Please try again in a moment.",
    "de": "Diese Seite brauchte zu lange und wurde angehalten. Bitte versuchen Sie es gleich noch einmal.",
}


def serve(study: str, port: int = 8866, *, root: Path, open_browser: bool = False) -> int:
    """Serve the pages of a study on 127.0.0.1 until interrupted, and return the server's exit code.

    Parameters
    ----------
    study : str
        The study that pages show.
    port : int
    root : Path
        The workbench's folder, with ``notebooks/pages`` and ``data``.
    open_browser : bool
        Open the pages as soon as they answer.

    Raises
    ------
    WaageError
        For an unknown study, a missing folder of pages, a port in use, a server that does not start.
    """
    # a service manager ends a process with SIGTERM; without this the server would outlive us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with running(study, port, root=root) as server:
        if open_browser:
            webbrowser.open(f"http://{HOST}:{port}/")
        try:
            return server.wait()
        except KeyboardInterrupt:
            return 0


@contextmanager
def running(study: str, port: int = 8866, *, root: Path, seconds: float = 30) -> Iterator[subprocess.Popen]:
    """Run the server of a study's pages in the background; it answers when the block begins.

    Parameters
    ----------
    study, port, root
        As in ``serve``.
    seconds : float
        How long the server may take to answer.
    """
    language = _study_language(study, root)
    if not any((root / "notebooks" / "pages").glob("*.ipynb")):
        raise WaageError(f"{root / 'notebooks' / 'pages'} holds no page to serve; a page is a notebook in this folder")
    with socket.socket() as probe:
        # a server that went a moment ago leaves its port in a state that only matters without this
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise WaageError(f"port {port} on {HOST} is in use; choose another port") from None
    # the path of an IPC socket may have about 100 characters, which a private TMPDIR can use up
    short = "/tmp" if os.access("/tmp", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="waage-", dir=short) as scratch:
        settings = voila_settings(port, language=language, scratch=Path(scratch))
        (Path(scratch) / "voila.json").write_text(json.dumps(settings), encoding="utf-8")
        argv, env = voila_command(study, root=root)
        server = subprocess.Popen(argv, env=env, cwd=scratch)
        try:
            _await(server, port, seconds)
            yield server
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def voila_command(study: str, *, root: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command that serves a study's pages, and its environment.

    It is to be run in a folder whose ``voila.json`` holds ``voila_settings``: Voila reads that file from its
    working directory, which is why a stray one elsewhere changes nothing.
    """
    env = {key: value for key, value in os.environ.items() if key not in ("WAAGE_STAGE", "JUPYTER_CONFIG_PATH")}
    env |= {
        "WAAGE_STUDY": study,
        "WAAGE_HOME": str(root),
        "JUPYTER_NO_CONFIG": "1",
        "JUPYTER_PATH": os.pathsep.join(filter(None, [str(TEMPLATES), env.get("JUPYTER_PATH", "")])),
    }
    return [sys.executable, "-m", "voila", str(root / "notebooks" / "pages")], env


def voila_settings(port: int, *, language: str, scratch: Path) -> dict:
    """Return Voila's settings: this machine only, no source, no traceback, no stray kernel, no foreign host."""
    return {
        "Voila": {
            "ip": HOST,
            "port": port,
            "port_retries": 0,
            "open_browser": False,
            "log_level": "ERROR",
            "connection_dir_root": str(scratch),
            "tornado_settings": {
                # without this a closed tab leaves its kernel behind: the farewell of the page is refused (voila #1458)
                "disable_check_xsrf": True,
                "ws_ping_timeout": 30_000,  # as long as its interval; the default is longer, which tornado reports
                "headers": {
                    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
                    "frame-ancestors 'self'",
                    "Referrer-Policy": "no-referrer",
                },
            },
        },
        "VoilaConfiguration": {
            "template": "waage",
            "theme": "light",
            "strip_sources": True,
            "show_tracebacks": False,
            "classic_tree": True,
            "preheat_kernel": False,
            "progressive_rendering": False,
            "allow_template_override": "NO",
            "allow_theme_override": "NO",
            "file_allowlist": [r"public/.*\.(png|svg|csv)$"],
        },
        "VoilaExecutor": {
            "timeout": CELL_SECONDS,
            "cell_error_instruction": "\n" + _ERROR[language],
            "cell_timeout_instruction": "\n" + _SLOW[language],
        },
        # TCP leaves a gap between choosing a port and binding it, and is open to every user of the machine
        "KernelManager": {"transport": "ipc" if os.name == "posix" else "tcp"},
        "MappingKernelManager": {
            "cull_idle_timeout": IDLE_SECONDS,
            "cull_interval": 60,
            "cull_connected": True,
        },
    }


def head(study):
    """Return the band on top of a page: study, as-of day, money basis, and when its tables were made.

    Parameters
    ----------
    study : Study
    """
    config, german = study.config, study.config.language == "de"
    facts = {
        "Stichtag" if german else "As of": style.day(config.as_of, config.language),
        "Daten bis" if german else "Data until": style.day(config.data_until, config.language),
        "Beträge" if german else "Money": f"{config.currency}, {style.label(config.money, config.language)}",
    }
    made = [file.stat().st_mtime for file in study.tables.glob("*.parquet")]
    if made:
        moment = datetime.datetime.fromtimestamp(max(made), ZoneInfo(config.time_zone))
        facts["Berechnet" if german else "Computed"] = f"{style.day(moment, config.language)}, {moment:%H:%M}"
    tag = ("simulierte Daten" if german else "simulated data") if study.simulated else ""
    return _html(_pieces().band(study.name, facts, tag))


def missing(study, **tables: str):
    """Return one sentence on what a page cannot show yet, or nothing where all tables are there.

    Parameters
    ----------
    study : Study
    **tables : str
        Table name and the key of the words for what it brings to the page.
    """
    language, command = study.config.language, f"waage run {study.name}"
    absent = [style.label(word, language) for name, word in tables.items() if not study.has(name)]
    if not absent:
        return None
    if len(absent) == len(tables):
        return notice(
            f"Zur Studie {study.name} liegen noch keine Ergebnisse vor; „{command}“ erzeugt sie."
            if language == "de"
            else f"There are no results of the study {study.name} yet; “{command}” makes them."
        )
    listed = ", ".join(absent)
    return notice(f"Noch nicht vorhanden: {listed}." if language == "de" else f"Not there yet: {listed}.")


def last_parameter(study, notebook: str, name: str):
    """Return the value a parameter had in the last run of a notebook, or "–" where no run recorded one.

    Parameters
    ----------
    study : Study
    notebook, name : str
    """
    try:
        manifest = json.loads((study.reports / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return style.MISSING
    return manifest["notebooks"].get(notebook, {}).get("parameters", {}).get(name, style.MISSING)


def notice(text: str):
    """Return a sentence set apart from the rest of a page."""
    from markupsafe import escape

    return _html(f'<div class="notice"><p>{escape(text)}</p></div>')


def cards(*figures: tuple[str, ...], language: str = "en"):
    """Return value cards.

    Parameters
    ----------
    *figures : tuple of str
        (label, value as shown) or (label, value as shown, note); a label may be a stored key such as "orders".
    language : str
    """
    if not figures:
        return None
    made = [
        _pieces().card(style.title(name, language), value, note="".join(note), text=len(value) > 16)
        for name, value, *note in figures
    ]
    return _html(f'<div class="cards">{"".join(map(str, made))}</div>')


def segment_labels(study) -> dict[str, str]:
    """Return the names of the study's segments in its language, from the table `segments` where it has one."""
    if not study.has("segments"):
        return {}
    table = study.read("segments").execute()
    column = "label_de" if study.config.language == "de" else "label"
    return dict(zip(table["segment"], table[column], strict=True))


def plot_segments(table, value: str, *, title: str, study, labels=None, money: bool = False, ax=None):
    """Draw a bar for each segment, from the best to the lost, with its value written beside it.

    Parameters
    ----------
    table : DataFrame
        One row a segment: ``segment`` and the column named by ``value``; a missing value is a masked one.
    value : str
    title : str
    study : Study
        Its language, currency and min_cell word the labels.
    labels : dict, optional
        As `segment_labels` returns; other segments have their label of `waage.style`.
    money : bool
        Whether the values are amounts.
    ax : Axes, optional
    """
    import matplotlib.pyplot as plt

    language = study.config.language
    if ax is None:
        _, ax = plt.subplots(figsize=(10.2, 0.42 * len(table) + 1))
    order = {segment: i for i, segment in enumerate(style.SEGMENT_COLOURS)}
    table = table.sort_values("segment", key=lambda column: column.map(order), ascending=False)
    names = [(labels or {}).get(segment) or style.label(segment, language) for segment in table["segment"]]
    sizes = table[value].astype(float)
    ax.barh(names, sizes.fillna(0), color=[style.SEGMENT_COLOURS.get(s, style.MUTED) for s in table["segment"]])
    n = study.config.min_cell
    hidden = f"verdeckt (schützt Gruppen unter {n})" if language == "de" else f"not shown (protects groups under {n})"
    for name, size in zip(names, sizes, strict=True):
        written = style.compact(size, study.config.currency, language) if money else style.number(size, language)
        shown = hidden if size != size else written
        ax.annotate(shown, (0 if size != size else max(size, 0), name), (6, 0), textcoords="offset points", va="center")
    # every bar carries its value, so an axis and a grid would say it twice
    ax.xaxis.set_visible(False)
    ax.grid(False)
    ax.spines["bottom"].set_visible(False)
    ax.margins(x=0.16)
    ax.set_title(title)
    return ax


def _html(content) -> object:
    """Wrap a piece in the house style, so that it looks the same in JupyterLab, in a report and on a page."""
    from IPython.display import HTML

    # tex2jax_ignore: two dollar amounts in a sentence are no formula
    return HTML(f'<style class="house">{_house()}</style><div class="waage tex2jax_ignore">{content}</div>')


@cache
def _house() -> str:
    return (TEMPLATES / "house.css").read_text(encoding="utf-8")


@cache
def _pieces():
    import jinja2

    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    return environment.get_template("pieces.html.j2").module


def _study_language(study: str, root: Path) -> str:
    # both load the engine, which a page that only draws pieces need not wait for
    from waage.config import read_config
    from waage.study import list_studies

    known = list_studies(root)
    if study not in known:
        listed = ", ".join(known) or "none"
        raise WaageError(f"no study is called {study!r}{did_you_mean(study, known)}; there are {listed}")
    return read_config(root / "data" / study / "study.yaml", f"data/{study}/study.yaml").language


def _await(server: subprocess.Popen, port: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if server.poll() is not None:
            raise WaageError(
                f"the server of the pages stopped at once with code {server.returncode}; see its log above"
            )
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.1)
    raise WaageError(f"the server of the pages did not answer on port {port} within {seconds:.0f} seconds")
