"""Acts of consent brought to the person, against the rule written out in plain Python."""

from string import ascii_lowercase

import ibis
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waage.errors import WaageError
from waage.unify.consents import SEVERITY, consent_status, person_consents

SCHEMA = {
    "source": "string",
    "source_id": "string",
    "purpose": "string",
    "channel": "string",
    "contact_point": "string",
    "changed_at": "timestamp",
    "status": "string",
}


def acts_table(*acts):
    """Acts as (id, purpose, channel, contact_point, day, status); ids are persons, and 'a2' is person a, too."""
    rows = [
        ("shop", who, purpose, channel, point, pd.Timestamp("2024-01-01") + pd.Timedelta(days=day), status)
        for who, purpose, channel, point, day, status in acts
    ]
    columns = dict(zip(SCHEMA, zip(*rows, strict=True), strict=True)) if rows else {name: [] for name in SCHEMA}
    return ibis.memtable(pd.DataFrame(columns).astype({"changed_at": "datetime64[us]"}), schema=ibis.schema(SCHEMA))


IDS = [letter + number for letter in ascii_lowercase for number in ("", "2")]
MAPPING = ibis.memtable(pd.DataFrame({"source": "shop", "source_id": IDS, "person_id": [word[0] for word in IDS]}))


def read(*acts) -> dict:
    """{(person, purpose, channel, contact_point): status}"""
    rows = person_consents(acts_table(*acts), MAPPING).execute()
    assert list(rows.columns) == ["person_id", "purpose", "channel", "contact_point", "status", "changed_at"]
    keys = zip(*(none(rows[name]) for name in rows.columns[:4]), strict=True)
    return dict(zip(keys, rows["status"], strict=True))


def none(column):
    return [None if pd.isna(value) else value for value in column]


def status(acts, purpose, channel=None) -> dict:
    rows = consent_status(person_consents(acts_table(*acts), MAPPING), purpose, channel).execute()
    assert list(rows.columns) == ["person_id", "status"] and rows["person_id"].is_unique
    return dict(zip(rows["person_id"], rows["status"], strict=True))


AD, OBJECT = "advertising", ("a", "advertising", "email", "a@x.de", 10, "objected")


def test_the_newest_act_counts_across_the_ids_of_a_person():
    older, newer = ("a", AD, "email", None, 1, "withdrawn"), ("a2", AD, "email", None, 2, "granted")
    assert read(older, newer) == {("a", AD, "email", None): "granted"}
    assert read(newer, older) == {("a", AD, "email", None): "granted"}
    rows = person_consents(acts_table(older, newer), MAPPING).execute()
    assert rows["changed_at"].tolist() == [pd.Timestamp("2024-01-03")]


def test_of_one_moment_the_more_restrictive_counts():
    for worse, better in (("withdrawn", "granted"), ("objected", "granted"), ("objected", "withdrawn")):
        acts = [("b", "survey", None, None, 1, better), ("b", "survey", None, None, 1, worse)]
        assert read(*acts) == read(*reversed(acts)) == {("b", "survey", None, None): worse}


def test_contact_points_are_told_apart_but_not_by_case():
    acts = [
        ("a", AD, "email", "one@x.de", 1, "granted"),
        ("a", AD, "email", "two@x.de", 1, "granted"),
        ("a", AD, "email", " TWO@x.de", 2, "withdrawn"),
    ]
    assert read(*acts) == {("a", AD, "email", "one@x.de"): "granted", ("a", AD, "email", "two@x.de"): "withdrawn"}
    assert status(acts, AD, "email") == {"a": "withdrawn"}, "the most restrictive over contact points"


def test_an_act_without_channel_holds_for_every_channel():
    acts = [("b", AD, "email", "b@x.de", 1, "granted"), ("b", AD, None, None, 2, "withdrawn")]
    assert read(*acts) == {("b", AD, "email", "b@x.de"): "withdrawn", ("b", AD, None, None): "withdrawn"}
    assert status(acts, AD, "post") == {"b": "withdrawn"}
    back = [*acts, ("b", AD, "sms", None, 3, "granted")]
    assert status(back, AD, "sms") == {"b": "granted"} and status(back, AD, "email") == {"b": "withdrawn"}


def test_a_withdrawal_stays_with_its_channel():
    acts = [("b", AD, "email", None, 1, "granted"), ("b", AD, "post", None, 2, "withdrawn")]
    assert status(acts, AD, "email") == {"b": "granted"} and status(acts, AD, "post") == {"b": "withdrawn"}


@pytest.mark.parametrize("purpose", ["advertising", "profiling"])
def test_an_objection_blocks_the_whole_person(purpose):
    acts = [
        ("a2", purpose, "email", "other@x.de", 1, "granted"),
        ("a", purpose, "email", "a@x.de", 10, "objected"),
        ("b", purpose, "email", "b@x.de", 1, "granted"),
    ]
    for channel in ("email", "phone", "sms", "push", "post"):
        assert status(acts, purpose, channel)["a"] == "objected"
    assert read(*acts)["a", purpose, None, None] == "objected"
    assert status(acts, purpose, "email")["b"] == "granted"
    assert "a" not in status(acts, "survey"), "for this purpose only"


def test_other_purposes_keep_an_objection_where_it_was_made():
    acts = [("a", "survey", "email", None, 1, "objected"), ("a", "survey", "phone", None, 0, "granted")]
    assert status(acts, "survey", "phone") == {"a": "granted"} and status(acts, "survey", "email") == {"a": "objected"}


def test_an_earlier_grant_does_not_lift_an_objection():
    assert status([OBJECT, ("a2", AD, "email", "a@x.de", 9, "granted")], AD, "email") == {"a": "objected"}
    assert status([OBJECT, ("a2", AD, None, None, 10, "granted")], AD, "post") == {"a": "objected"}, "nor of one moment"


def test_a_later_grant_frees_what_it_names_and_nothing_else():
    by_post = ("a", AD, "post", "Weg 1", 5, "granted")
    grant = ("a2", AD, "email", "A@x.de", 20, "granted")
    acts = [OBJECT, by_post, grant]
    assert read(*acts) == {
        ("a", AD, "email", "a@x.de"): "granted",
        ("a", AD, "post", "weg 1"): "objected",
        ("a", AD, None, None): "objected",
    }
    assert status(acts, AD, "email") == {"a": "granted"}
    assert status(acts, AD, "post") == status(acts, AD, "push") == {"a": "objected"}
    assert status(acts, AD) == {"a": "objected"}
    old_address = [*acts, ("a", AD, "email", "old@x.de", 1, "granted")]
    assert status(old_address, AD, "email") == {"a": "objected"}, "the other address was not granted again"
    whole_channel = [*acts, ("a", AD, "post", None, 30, "granted")]
    assert (
        status(whole_channel, AD, "post") == {"a": "granted"} and status(whole_channel, AD, "push")["a"] == "objected"
    )


def test_a_grant_for_all_channels_lifts_an_objection_for_all():
    acts = [OBJECT, ("a", AD, "post", "Weg 1", 5, "granted"), ("a", AD, None, None, 20, "granted")]
    assert set(read(*acts).values()) == {"granted"}
    for channel in ("email", "post", "push", None):
        assert status(acts, AD, channel) == {"a": "granted"}
    again = [*acts, ("a2", AD, "push", None, 21, "objected")]
    assert set(read(*again).values()) == {"objected"}


def test_a_grant_by_address_after_an_objection_without_one():
    acts = [("a", AD, "email", None, 1, "objected"), ("a", AD, "email", "a@x.de", 2, "granted")]
    assert read(*acts)["a", AD, "email", None] == "objected"
    assert status(acts, AD, "email") == {"a": "granted"}, "the person named where to write to"


def test_no_act_is_no_row_and_strangers_have_none():
    acts = [("a", AD, "email", None, 1, "granted"), ("nobody", AD, "email", None, 1, "granted")]
    assert read(*acts) == {("a", AD, "email", None): "granted"}
    assert status(acts, AD, "post") == {} and status(acts, "profiling") == {}
    assert read() == {}


@pytest.mark.parametrize(
    ("purpose", "channel", "words"),
    [
        ("advertizing", None, r"no purpose 'advertizing' \(did you mean 'advertising'\?\)"),
        ("survey", "mail", r"no channel 'mail' \(did you mean 'email'\?\); one of email, phone, sms, push, post"),
    ],
)
def test_unknown_words_are_refused(purpose, channel, words):
    with pytest.raises(WaageError, match=words):
        status([OBJECT], purpose, channel)


# The rule in plain Python: slow, and readable.


def decide(acts, channel, point):
    """Status of one cell: the newest act that holds for it, of one moment the most restrictive; None without any."""
    held = [
        (day, SEVERITY[word], word)
        for _, purpose, c, k, day, word in acts
        if (word == "objected" and purpose in ("advertising", "profiling"))
        or (c in (None, channel) and k in (None, point))
    ]
    return max(held)[2] if held else None


def by_hand(acts):
    cells = set()
    for who, purpose, channel, point, _, word in acts:
        cells.add((who[0], purpose, channel, point))
        if word == "objected" and purpose in ("advertising", "profiling"):
            cells.add((who[0], purpose, None, None))
    return {cell: decide([act for act in acts if (act[0][0], act[1]) == cell[:2]], *cell[2:]) for cell in cells}


def status_by_hand(acts, purpose, channel):
    found = {}
    for who in {act[0][0] for act in acts}:
        own = [act for act in acts if act[0][0] == who and act[1] == purpose]
        points = {k for _, _, c, k, _, _ in own if c in (None, channel) and k is not None} or {None}
        words = [word for word in (decide(own, channel, point) for point in points) if word]
        if words:
            found[who] = max(words, key=SEVERITY.get)
    return found


ACT = st.tuples(
    st.sampled_from(["", "2"]),  # one of two ids of the person
    st.sampled_from(["advertising", "survey"]),
    st.sampled_from([None, "email", "post"]),
    st.sampled_from([None, "1", "2"]),
    st.integers(0, 4),
    st.sampled_from(list(SEVERITY)),
)


# Many persons an example: a query costs more than the acts it reads.
@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.lists(ACT, max_size=8), min_size=1, max_size=len(ascii_lowercase)), st.randoms(use_true_random=False)
)
def test_any_acts_in_any_order_give_what_the_rule_says(crowd, random):
    acts = [(ascii_lowercase[i] + act[0], *act[1:]) for i, person in enumerate(crowd) for act in person]
    random.shuffle(acts)
    assert read(*acts) == by_hand(acts)
    for purpose, channel in (("advertising", "email"), ("advertising", "post"), ("survey", "email")):
        assert status(acts, purpose, channel) == status_by_hand(acts, purpose, channel)
