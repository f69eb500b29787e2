"""What a person has decided: these two ids are one person, those two are not. Kept in data/<study>/decisions.csv."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from waage.errors import WaageError, did_you_mean

COLUMNS = ("action", "source_a", "source_id_a", "source_b", "source_id_b", "who", "when", "why")
ACTIONS = ("link", "separate")

Key = tuple[str, str]


@dataclass(frozen=True)
class Decision:
    """One line of decisions.csv; a and b are (source, source_id)."""

    action: str
    a: Key
    b: Key
    line: int


def read_decisions(path: Path, shown: str = "decisions.csv") -> list[Decision]:
    """Read and check a file of decisions; none where there is no file.

    Parameters
    ----------
    path : Path
        CSV (comma or semicolon) with the columns of `COLUMNS`; `who`, `when` and `why` may be left out.
    shown : str
        The file's name in error messages.

    Raises
    ------
    WaageError
        Naming every faulty line, and both lines of each contradiction: two ids that are linked, directly or through
        others, and separated.
    """
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise WaageError(f'{shown}: line {line} is not UTF-8; save the file as "CSV UTF-8"') from None
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ",")
    rows = [(reader.line_num, row) for row in reader]  # blank lines count, as they do in an editor
    missing = [name for name in COLUMNS[:5] if name not in (reader.fieldnames or COLUMNS)]
    if missing:
        raise WaageError(f"{shown}: columns {', '.join(missing)} are missing; its first line is {','.join(COLUMNS)}")
    faults, decisions = [], []
    for line, row in rows:
        action = (row["action"] or "").strip().lower()
        a, b = ((row[f"source_{end}"] or "", row[f"source_id_{end}"] or "") for end in "ab")
        if action not in ACTIONS:
            faults.append(f"line {line}: action {row['action']!r} is neither link nor separate"
                          f"{did_you_mean(action, ACTIONS)}")  # fmt: skip
        elif not all((*a, *b)):
            faults.append(f"line {line}: source and source_id of both sides must be given")
        elif a == b:
            faults.append(f"line {line}: both sides are the same id ({a[0]} {_masked(a[1])})")
        else:
            decisions.append(Decision(action, a, b, line))
    faults += _contradictions(decisions)
    if faults:
        raise WaageError(f"{shown}:" + "".join(f"\n  - {fault}" for fault in faults))
    return decisions


def _contradictions(decisions: list[Decision]) -> list[str]:
    """Follow the links between ids; a separation whose ends meet contradicts the links on the way."""
    ways: dict[Key, dict[Key, int]] = {}
    for decision in decisions:
        if decision.action == "link":
            ways.setdefault(decision.a, {}).setdefault(decision.b, decision.line)
            ways.setdefault(decision.b, {}).setdefault(decision.a, decision.line)
    faults = []
    for decision in decisions:
        if decision.action != "separate":
            continue
        come: dict[Key, tuple[Key, int] | None] = {decision.a: None}
        queue = [decision.a]
        for at in queue:
            for further, line in ways.get(at, {}).items():
                if further not in come:
                    come[further] = (at, line)
                    queue.append(further)
        if decision.b in come:
            lines, at = [], decision.b
            while (step := come[at]) is not None:
                at, line = step
                lines.append(line)
            where = ", ".join(f"line {line}" for line in sorted(lines))
            faults.append(f"line {decision.line} separates two ids that {where} {'link' if lines[1:] else 'links'}; "
                          "remove one of them")  # fmt: skip
    return faults


def _masked(text: str) -> str:
    return text if len(text) < 3 else f"{text[0]}***{text[-1]}"
