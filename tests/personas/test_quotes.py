"""Which comments are quoted, and what a review file lets through."""

import re

import numpy as np
import pandas as pd
import pytest

from waage.errors import WaageError
from waage.personas.quotes import DECISIONS, _quote_id, quotes, read_review, releasable, write_review

PLAN = "Ich plane meinen Einkauf gern lange im Voraus und vergleiche jede Woche die Preise Nummer {}"
FAST = "Es muss schnell gehen, deshalb bestelle ich abends auf dem Sofa in der App, Folge {}"


def population(n=60):
    """n respondents, half of them planners; each with one typical comment and one about something else."""
    persons = [f"p{i:03}" for i in range(n)]
    first = np.where(np.arange(n) < n // 2, 0.9, 0.1)
    posterior = pd.DataFrame({"planner": first, "fast": 1 - first}, index=persons)
    rows = [(p, (PLAN if i < n // 2 else FAST).format("abcdefghij"[i % 10] * 3)) for i, p in enumerate(persons)]
    rows += [(p, f"Sonstiges {i} über das Wetter, den Hund und den Nachbarn, wirklich") for i, p in enumerate(persons)]
    return pd.DataFrame(rows, columns=["person_id", "text"]), posterior


def choose(comments, posterior, **options):
    options = {"consenting": set(posterior.index), "min_cell_survey": 20} | options
    return quotes(comments, posterior, **options)


def test_typical_comments_come_first_and_say_different_things():
    comments, posterior = population()
    found = choose(comments, posterior)
    first = found.groupby("type")["text"].first()
    assert first["planner"].startswith("Ich plane") and first["fast"].startswith("Es muss schnell gehen")
    for _, own in found.groupby("type"):
        assert own["text"].str.startswith(("Ich plane", "Es muss")).sum() == 1  # the others are the same but for a word
    assert found["text"].str.len().between(40, 160).all() and found["quote_id"].is_unique
    pd.testing.assert_frame_equal(found, choose(comments.sample(frac=1, random_state=3), posterior))


def test_only_sure_members_who_consent_and_no_person_twice():
    comments, posterior = population()
    texts = choose(comments, posterior, per_type=100, consenting={"p001", "p040"})["text"]
    assert set(texts) <= set(comments.loc[comments["person_id"].isin(["p001", "p040"]), "text"]) and len(texts) == 2
    unsure = posterior.clip(0.35, 0.65)
    assert choose(comments, unsure).empty and choose(comments, posterior, consenting=set()).empty


def test_a_small_type_is_never_quoted():
    comments, posterior = population()
    assert choose(comments, posterior, min_cell_survey=31).empty
    posterior.iloc[:5] = [0.1, 0.9]  # 25 planners are left
    assert set(choose(comments, posterior, min_cell_survey=30)["type"]) == {"fast"}


def test_personal_data_are_out_and_such_quotes_come_last():
    comments, posterior = population()
    planners = comments["text"].str.startswith("Ich plane")
    comments.loc[planners, "text"] = comments.loc[planners, "text"] + ". Ruft mich an: 0151 2345678 (Quast)"
    names = pd.DataFrame({"person_id": ["p001"], "first_name": ["Petra"], "last_name": ["Quast"]})
    found = choose(comments, posterior, names=names, language="de")
    assert not found["text"].str.contains("0151|Quast").any()
    own = found[found["type"] == "planner"]
    assert own["removed"].tolist() == sorted(own["removed"], key=bool) and (own["removed"] == "").any()


def test_nothing_to_quote_from():
    comments, posterior = population()
    for texts in (
        comments[:0],
        comments.assign(text=None),
        comments.assign(text="😀😀😀 " * 12),
        comments.assign(text="kurz"),
    ):
        found = choose(texts, posterior)
        assert list(found.columns) == ["quote_id", "type", "text", "removed", "similarity"]
        assert releasable(found, None).empty
    assert quotes(comments, posterior.iloc[:8], consenting=set(posterior.index)).empty


def test_emoji_and_right_to_left_marks_survive_the_file(tmp_path):
    comments, posterior = population()
    comments["text"] = ["=SUMME(A1) 👩‍👩‍👧 שלום " + "\u202e" + text for text in comments["text"]]
    found = choose(comments, posterior)
    assert not found["text"].str.contains("\u202e").any()
    write_review(found, tmp_path / "quotes.csv")
    assert "'=SUMME(A1) 👩‍👩‍👧 שלום" in (tmp_path / "quotes.csv").read_text("utf-8-sig")
    read = read_review(tmp_path / "quotes.csv")
    assert dict(zip(read["quote_id"], read["text"], strict=True)) == dict(
        zip(found["quote_id"], found["text"], strict=True)
    )


@pytest.fixture
def reviewed(tmp_path):
    found = choose(*population())
    path = tmp_path / "quotes.csv"
    assert write_review(found, path) == len(found)
    return found, path


def decide(path, decisions):
    text = path.read_text("utf-8-sig")
    for quote_id, decision in decisions.items():
        text = re.sub(rf"^({quote_id},.*),,$", rf"\1,{decision},", text, flags=re.MULTILINE)
    path.write_text(text, "utf-8")


def test_nothing_unapproved_is_released(reviewed):
    found, path = reviewed
    assert releasable(found, None).empty and releasable(found, read_review(path)).empty
    decide(path, {found["quote_id"][0]: "approve", found["quote_id"][1]: "Reject"})
    review = read_review(path)
    assert releasable(found, review)["quote_id"].tolist() == [found["quote_id"][0]]
    assert found["quote_id"][1] not in set(releasable(found, review, approved_only=False)["quote_id"])
    # whoever is no candidate any more is not shown, whatever was decided
    assert releasable(found[1:], review).empty


def test_decisions_stay_when_the_file_is_written_anew(reviewed):
    found, path = reviewed
    decide(path, {found["quote_id"][0]: "approve", found["quote_id"][1]: "reject"})
    assert write_review(found[1:], path) == len(found) - 2
    review = read_review(path).set_index("quote_id")["decision"]
    assert review[found["quote_id"][0]] == "approve" and review[found["quote_id"][1]] == "reject"
    before = path.read_bytes()
    write_review(found[1:], path)
    assert path.read_bytes() == before


def test_a_spreadsheet_may_save_it_its_own_way(reviewed):
    found, path = reviewed
    decide(path, {found["quote_id"][0]: "APPROVE"})
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    path.write_bytes(table.to_csv(index=False, sep=";").replace("\n", "\r\n").encode("cp1252"))
    assert releasable(found, read_review(path))["quote_id"].tolist() == [found["quote_id"][0]]


def test_an_encoding_without_emoji_costs_no_decision(reviewed):
    found, path = reviewed
    found = found.assign(text=["😀 " + text for text in found["text"]])
    found["quote_id"] = [_quote_id(*pair) for pair in zip(found["type"], found["text"], strict=True)]
    write_review(found, path)
    decide(path, {found["quote_id"][0]: "approve"})
    saved = path.read_text("utf-8-sig").rstrip("\n") + "schön\n"  # a note, so that it is no UTF-8
    path.write_bytes(saved.encode("cp1252", errors="replace"))
    shown = releasable(found, read_review(path))
    assert shown["text"].tolist() == [found["text"][0]], "the words are the candidate's, emoji and all"


def test_faults_are_told_all_together(reviewed):
    found, path = reviewed
    ids = found["quote_id"]
    decide(path, {ids[0]: "aprove", ids[1]: "approve", ids[2]: "approve"})
    text = path.read_text("utf-8").replace(found["text"][1], found["text"][1] + " Kauft!")
    twice = next(line for line in text.splitlines() if line.startswith(ids[2])).replace(",approve,", ",reject,")
    path.write_text(text + twice + "\n", "utf-8")
    with pytest.raises(WaageError) as error:
        read_review(path)
    said = str(error.value)
    assert f"quote '{ids[0]}': decision 'aprove' is none of approve, reject or empty (did you mean 'approve'?)" in said
    assert f"line 3: quote '{ids[1]}': its type or text was changed" in said
    assert f"quote '{ids[2]}' has another decision further up" in said
    path.write_text("id,text\n", "utf-8")
    with pytest.raises(
        WaageError, match=r"column quote_id, type, decision, note is missing; its columns are \['id', 'text'\]"
    ):
        read_review(path)
    with pytest.raises(WaageError, match="there is no such file"):
        read_review(path.with_name("none.csv"))
    assert DECISIONS == ("approve", "reject")
