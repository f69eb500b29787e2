"""The simulated retailer: what its systems would export, and beside it the truth."""

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from waage.demo.world import Settings
from waage.errors import WaageError

__all__ = ["Settings", "generate"]


def generate(settings: Settings, folder: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Write raw/ and truth/ of the simulated retailer.

    Parameters
    ----------
    settings : Settings
    folder : Path
        The study's folder; raw/ and truth/ below it are replaced, their files get their names at the end.

    Raises
    ------
    WaageError
        When raw/ holds extracts that are not simulated.
    progress : callable, optional
        Told the number of finished steps and of all steps.
    """
    from waage.demo.experience import write_experience
    from waage.demo.feedback import write_feedback
    from waage.demo.files import Files
    from waage.demo.identities import write_people
    from waage.demo.panel import write_survey
    from waage.demo.people import campaign_contacts, people
    from waage.demo.purchases import write_purchases

    tell = progress or (lambda done, of: None)
    folder = Path(folder)
    if any(folder.glob("raw/*")) and not any(folder.glob("truth/settings.*")):
        raise WaageError(f"{folder}: its raw/ was not made by `waage demo` and is left alone; choose another folder")
    for part in ("raw", "truth"):
        shutil.rmtree(folder / part, ignore_errors=True)
    with Files(folder) as out:
        out.truth("settings", pd.DataFrame([asdict(settings)]))
        for chunk in range(settings.chunks):
            tell(chunk, settings.chunks + 1)
            frame = people(settings, chunk)
            write_people(settings, chunk, frame, out)
            contacts = campaign_contacts(settings, chunk, frame)
            n_orders = write_purchases(settings, chunk, frame, contacts, out)
            write_survey(settings, chunk, frame, n_orders, out)
            write_feedback(settings, chunk, frame, out)
        tell(settings.chunks, settings.chunks + 1)
        write_experience(settings, out)
    tell(settings.chunks + 1, settings.chunks + 1)
