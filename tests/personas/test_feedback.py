"""What persons said outside the survey: reasons, ratings and words, as variables that findings can be made of."""

from datetime import date

import ibis
import numpy as np
import pandas as pd

from waage.personas.feedback import MOST_WORDS, comment_words, read_feedback
from waage.personas.topics import catalogue

BOOK = pd.DataFrame(
    [
        ("after", "reason_price", "binary", "reason", "Reason: price", "Grund: Preis", None, None, None, None),
        ("after", "grade", "scale", "satisfaction", "Grade", "Note", 1, 6, "min", "9, -1"),
        ("call", "grade", "scale", "satisfaction", "Call", "Anruf", 0, 10, "max", None),
        ("motives", "q1", "scale", "price", "I compare", "Ich vergleiche", 1, 5, "max", None),
        ("after", "comment", "comment", None, "Comment", "Kommentar", None, None, None, None),
    ],
    columns=["instrument", "item", "kind", "construct", "label", "label_de", "scale_min", "scale_max", "best",
             "missing_codes"],
)  # fmt: skip


def tables(said):
    rows = pd.DataFrame(said, columns=["source_id", "instrument", "item", "value"])
    rows = rows.assign(source="crm", responded_at=pd.Timestamp("2025-06-01"), response_id=range(len(rows)))
    people = pd.DataFrame({"source": "crm", "source_id": list("abc"), "person_id": ["pa", "pb", "pc"]})
    return {name: ibis.memtable(t) for name, t in {"items": BOOK, "responses": rows, "identity_map": people}.items()}


def test_codes_are_no_grades_and_a_low_grade_may_be_the_best():
    said = [("a", "after", "grade", 1.0), ("a", "after", "grade", 2.0), ("b", "after", "grade", 9.0),
            ("b", "after", "grade", -1.0), ("c", "after", "grade", 77.0), ("a", "call", "grade", 9.0),
            ("a", "after", "reason_price", 1.0), ("b", "after", "reason_price", 0.0),
            ("a", "motives", "q1", 5.0)]  # fmt: skip
    found = read_feedback(tables(said), ["pa", "pb", "pc"], date(2025, 6, 30), "motives", "Europe/Berlin")
    table = found.variables
    assert table.loc["pa", "grade_after"] == 5.5, "1 and 2 of 1 to 6, where 1 is best"
    assert table.loc["pa", "grade_call"] == 9.0, "an item of the same name is another variable"
    assert np.isnan(table.loc["pb", "grade_after"]) and "pc" not in table.index
    assert table["reason_price"].to_dict() == {"pa": 1.0, "pb": 0.0} and "q1" not in table
    known = catalogue(list(table), found.items)
    assert known.loc["reason_price", ["topic", "label_de"]].tolist() == ["pains", "Grund: Preis"]
    assert known.loc["grade_after", ["topic", "label_en", "label_de"]].tolist() == [
        "kpis",
        "Satisfaction: Grade",
        "Zufriedenheit: Note",
    ]
    assert read_feedback(tables(said), ["pa"], date(2025, 5, 1), "motives", "Europe/Berlin").variables.empty


def test_words_that_many_write_become_variables_and_names_do_not():
    n = 200
    texts = [
        "Die Lieferung von Frau Ziegelmann kam. " * (i % 2)
        + "lieferung ist teuer, sagt mir@example.org " * (i % 4 == 0)
        + "Great choice of colours, und das ist immer so!" * (i % 3 == 0)
        + ("Rückgabe war schwer" if i < 29 else "Hm")
        for i in range(n)
    ]
    comments = pd.DataFrame({"person_id": [f"p{i}" for i in range(n)], "text": texts})
    names = pd.DataFrame({"person_id": ["p1"], "first_name": ["Norbert"], "last_name": ["Ziegelmann"]})
    found = comment_words(comments, names, least=30)
    table = found.variables
    assert set(table) == {"word_lieferung", "word_teuer", "word_colours"}, "one word of those that go together"
    assert table["word_lieferung"].sum() == sum("lieferung" in text.lower() for text in texts)
    assert found.items.loc["word_lieferung", "label"] == "Lieferung", "in the commonest spelling"
    known = catalogue(list(table), found.items)
    assert known.loc["word_lieferung", ["topic", "label_de"]].tolist() == ["pains", "In Kommentaren: Lieferung"]
    assert comment_words(comments.head(59), names, least=30).variables.empty
    mixed = comments.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(comment_words(mixed, names, least=30).variables, table)
    rng = np.random.default_rng(1)
    words = np.array([f"wort{chr(97 + k)}x" for k in range(26)])
    texts = [" ".join(words[rng.random(26) < 0.5]) + " -" for _ in range(90)]
    many = pd.DataFrame({"person_id": range(90), "text": texts})
    assert comment_words(many, least=30).variables.shape == (90, MOST_WORDS)


def test_parts_are_joined_by_person():
    found = read_feedback(tables([("a", "after", "reason_price", 1.0)]), ["pa"], date(2025, 6, 30), "x", "UTC")
    words = comment_words(
        pd.DataFrame({"person_id": ["pa", *map(str, range(79))], "text": ["Versand"] * 40 + ["-"] * 40}), least=30
    )
    both = found + words
    assert both.variables.loc["pa"].to_dict() == {"reason_price": 1.0, "word_versand": 1.0}
    assert np.isnan(both.variables.loc["0", "reason_price"]) and list(both.items.index) == list(both.variables)


def test_what_was_taken_out_as_a_name_once_is_a_word_nowhere():
    said = ["Frau Kowalczyk war super, danke Kowalczyk", "kowalczyk hat geholfen, die Beratung war freundlich"]
    comments = pd.DataFrame({"person_id": [f"p{i}" for i in range(120)], "text": [*said, "nix", "nie"] * 30})
    table = comment_words(comments, least=30).variables
    assert "word_beratung" in table or "word_freundlich" in table
    assert not any("kowalczyk" in name for name in table)


def test_only_a_rating_that_cannot_be_turned_is_no_feedback():
    book = BOOK.assign(scale_min=None, scale_max=None).astype({"scale_min": float, "scale_max": float})
    said = tables([("a", "after", "grade", 1.0)]) | {"items": ibis.memtable(book)}
    assert read_feedback(said, ["pa"], date(2025, 6, 30), "motives", "UTC").variables.empty
