"""What members of a type wrote, word for word and without personal data, and the file in which people approve it."""

import csv
import hashlib
import io
import os
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from waage.errors import WaageError, did_you_mean
from waage.personas.scrub import KINDS, scrub

DECISIONS = ("approve", "reject")
REVIEW = ["quote_id", "type", "text", "decision", "note"]
_ALIKE = 0.6  # cosine from which two quotes say the same; a judgement
_MARK = re.compile("|".join(re.escape(f"[{word}]") for pair in KINDS.values() for word in pair))


def quotes(
    comments: pd.DataFrame,
    posterior: pd.DataFrame,
    *,
    consenting: Collection[str],
    names: pd.DataFrame | None = None,
    keep: Collection[str] = (),
    language: str = "en",
    per_type: int = 6,
    min_posterior: float = 0.7,
    min_cell_survey: int = 30,
    shortest: int = 40,
    longest: int = 160,
) -> pd.DataFrame:
    """Choose for each type comments that are typical of it: candidates for a reviewer, not yet for a page.

    Near the centre of what the type's members wrote, seen from what everybody wrote (cosine of TF-IDF, Salton and
    Buckley 1988), so that platitudes come last; no two of one person, no two alike. A comment in which nothing had to
    be taken out comes first.

    Parameters
    ----------
    comments : DataFrame
        person_id, text; survey comments.
    posterior : DataFrame, shape (respondents, K)
        Probability of each type (columns), by person_id (index).
    consenting : collection of str
        Persons whose answers may be used in this way.
    names, keep, language
        See `waage.personas.scrub.scrub`.
    per_type : int
        Candidates a type, at most.
    min_posterior : float
        A member is a respondent whose probability of the type is at least this.
    min_cell_survey : int
        A type with fewer members is never quoted.
    shortest, longest : int
        Characters of a quote, what stands in place of personal data not counted.

    Returns
    -------
    DataFrame
        quote_id, type, text, removed (kinds of personal data taken out), similarity (cosine with that direction); in
        order of type and choice. quote_id follows from type and text alone and says nothing about a person.
    """
    posterior = posterior.set_axis(posterior.columns.astype(str), axis=1)
    members = posterior >= min_posterior
    members = members.loc[:, members.sum() >= min_cell_survey]
    written = comments[comments["person_id"].isin(set(consenting)) & comments["text"].notna()]
    written = written[written["person_id"].isin(members.index[members.any(axis=1)])]
    texts = scrub(written["text"], names=names, persons=written["person_id"], keep=keep, language=language)
    texts = texts.assign(
        person_id=written["person_id"], length=texts["text"].str.replace(_MARK, "", regex=True).str.len()
    )
    texts = texts.sort_values(["text", "person_id"]).drop_duplicates("text", ignore_index=True)
    vectors = _tf_idf(texts["text"])
    chosen = []
    for kind in members.columns:
        mine = np.flatnonzero(texts["person_id"].isin(members.index[members[kind]]))
        similarity = _typical(vectors, mine)
        own = texts.iloc[mine].assign(similarity=similarity.round(6), row=mine, type=kind)
        own = own[own["length"].between(shortest, longest)]
        own = own.assign(touched=own["removed"] != "")
        own = own.sort_values(["touched", "similarity", "text"], ascending=[True, False, True])
        chosen.append(own.loc[_different(own, vectors, per_type)])
    columns = ["quote_id", "type", "text", "removed", "similarity"]
    if not chosen or not sum(map(len, chosen)):
        return pd.DataFrame({name: pd.Series(dtype=float if name == "similarity" else str) for name in columns})
    found = pd.concat(chosen, ignore_index=True)
    return found.assign(quote_id=[_quote_id(*pair) for pair in zip(found["type"], found["text"], strict=True)])[columns]


def reviewed(candidates: pd.DataFrame, folder: Path, language: str = "en") -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Bring the study's review file up to date, and return what may be shown.

    Parameters
    ----------
    candidates : DataFrame
        From `quotes`.
    folder : Path
        Of the study; the file is quotes.csv in it.
    language : str
        Its spreadsheet's: semicolons in German.

    Returns
    -------
    approved, open : DataFrame
        Candidates that were approved, and those that were not rejected.
    int
        Quotes that wait for a decision.
    """
    path, waiting = folder / "quotes.csv", 0
    if len(candidates) or path.is_file():
        waiting = write_review(candidates, path, ";" if language == "de" else ",")
    review = read_review(path) if path.is_file() else None
    return releasable(candidates, review), releasable(candidates, review, approved_only=False), waiting


def write_review(candidates: pd.DataFrame, path: Path, delimiter: str = ",") -> int:
    """Write the review file; decisions that are there stay, also those on quotes that are no candidates any more.

    Returns
    -------
    int
        Quotes that still wait for a decision.
    """
    before = read_review(path) if path.is_file() else pd.DataFrame(columns=REVIEW)
    decided = before[(before["decision"] != "") | (before["note"] != "")].set_index("quote_id")
    rows = candidates[["quote_id", "type", "text"]].assign(decision="", note="")
    for name in ("decision", "note"):
        rows[name] = [decided[name].get(quote, "") for quote in rows["quote_id"]]
    # Whose consent is gone, or whose type grew too small, is no candidate: the decision stays, the words do not.
    gone = decided.loc[~decided.index.isin(rows["quote_id"])].reset_index()[REVIEW]
    rows = pd.concat([rows, gone.assign(text="")])
    # A cell that begins like a formula is run by the spreadsheet, and customers type these cells.
    safe = rows.astype(str).apply(lambda column: column.str.replace(r"^(?=[=+\-@'])", "'", regex=True))
    staged = path.with_name(f".{path.name}")
    staged.write_text(safe.to_csv(index=False, sep=delimiter, lineterminator="\n"), encoding="utf-8-sig")
    os.replace(staged, path)
    return int((rows["decision"] == "").sum())


def read_review(path: Path) -> pd.DataFrame:
    """Return the review file: quote_id, type, text, decision ("approve", "reject" or ""), note.

    Commas, semicolons and tabs, a byte order mark and Excel's Windows encoding are understood.

    Raises
    ------
    WaageError
        For a missing file or column; naming line and value of each unknown decision, of each text that was changed
        (a quote is word for word), and of each quote that is decided twice.
    """
    if not path.is_file():
        raise WaageError(f"{path}: there is no such file; the run of notebook 03 writes it")
    content, exact = path.read_bytes(), True
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # It has no emoji: a text may have changed without anybody's doing; what is shown is the candidate's anyway.
        text, exact = content.decode("cp1252", errors="replace"), False
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    if missing := [name for name in REVIEW if name not in (reader.fieldnames or ())]:
        raise WaageError(f"{path.name}: column {', '.join(missing)} is missing; its columns are {reader.fieldnames}")
    rows, faults = {}, []
    for row in reader:
        row = {name: re.sub("^'(?=[=+\\-@'])", "", (row[name] or "").strip()) for name in REVIEW}
        row["decision"] = row["decision"].lower()
        where = f"line {reader.line_num}: quote {row['quote_id']!r}"
        if row["decision"] and row["decision"] not in DECISIONS:
            hint = did_you_mean(row["decision"], DECISIONS)
            faults.append(f"{where}: decision {row['decision']!r} is none of {', '.join(DECISIONS)} or empty{hint}")
        if (
            exact
            and row["decision"] == "approve"
            and row["text"]
            and row["quote_id"] != _quote_id(row["type"], row["text"])
        ):
            faults.append(
                f"{where}: its type or text was changed; a quote is word for word, so reject it or restore it"
            )
        if rows.setdefault(row["quote_id"], row)["decision"] != row["decision"]:
            faults.append(f"{where} has another decision further up")
    if faults:
        raise WaageError(f"{path.name}:" + "".join(f"\n  - {fault}" for fault in faults))
    return pd.DataFrame(rows.values(), columns=REVIEW, dtype=str)


def releasable(candidates: pd.DataFrame, review: pd.DataFrame | None, *, approved_only: bool = True) -> pd.DataFrame:
    """Return the candidates that a page may show: the approved ones, or all that are not rejected.

    Parameters
    ----------
    candidates : DataFrame
        From `quotes`; what was approved once and is no candidate now (consent withdrawn, type too small) is not shown.
    review : DataFrame or None
        From `read_review`; None where nobody has reviewed.
    approved_only : bool
        study.yaml's ``quotes: approved_only``; False is for the analyst's own eyes.
    """
    decision = {} if review is None else dict(zip(review["quote_id"], review["decision"], strict=True))
    decisions = [decision.get(quote, "") for quote in candidates["quote_id"]]
    shown = [word == "approve" if approved_only else word != "reject" for word in decisions]
    return candidates[np.array(shown, dtype=bool)].reset_index(drop=True)


def _typical(vectors: np.ndarray, mine: np.ndarray) -> np.ndarray:
    """Return the cosine of own texts with the way from the centre of all texts to the centre of the own ones."""
    if not len(mine):
        return np.zeros(0)
    centre = vectors[mine].mean(axis=0)
    away = centre - vectors.mean(axis=0) if len(mine) < len(vectors) else centre
    return vectors[mine] @ away / (np.linalg.norm(away) or 1)


def _different(own: pd.DataFrame, vectors: np.ndarray, most: int) -> list:
    """Return the index of the first rows that are of different persons and say different things."""
    taken, persons = [], set()
    for row in own.itertuples():
        if len(taken) == most:
            break
        if row.person_id not in persons and all(vectors[row.row] @ vectors[own.at[i, "row"]] < _ALIKE for i in taken):
            taken.append(row.Index)
            persons.add(row.person_id)
    return taken


def _tf_idf(texts: pd.Series) -> np.ndarray:
    """Return unit vectors of the texts' words, shape (texts, words); what was taken out is no word."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    plain = texts.str.replace(_MARK, " ", regex=True)
    if not plain.str.contains(r"\w\w", regex=True).any():
        return np.zeros((len(plain), 1))
    # The commonest few thousand words carry the centre, and keep the matrix small.
    return TfidfVectorizer(sublinear_tf=True, max_features=4000, dtype=np.float32).fit_transform(plain).toarray()


def _quote_id(kind: str, text: str) -> str:
    # The letter in front keeps a spreadsheet from reading "12e45678" as a number.
    return "q" + hashlib.sha256(f"{kind}\x1f{re.sub(chr(92) + 's+', ' ', text).strip()}".encode()).hexdigest()[:12]
