"""What persons said outside the survey of motives: reasons, ratings, and the words of their comments."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import ibis.expr.types as ir
import pandas as pd

from waage.answers import answered
from waage.history import local_day
from waage.personas.scrub import KINDS, scrub, visible
from waage.personas.topics import feedback_variables

_CONSTRUCTS = ("reason", "pain", "barrier", "satisfaction")
_BOOK = ["kind", "construct", "label", "label_de"]
#: How the variables of words begin.
WRITTEN = "word_"
# Words used by much the same persons (Jaccard) tell the same; the longest is kept (judgement).
_SAME = 0.7
#: Words of comments that become variables, at most, and their least length: each costs all findings some power.
MOST_WORDS, SHORTEST = 15, 4
# Function words of German, lower case; scikit-learn brings those of English, and for German it has none.
_GERMAN = frozenset(
    re.findall(
        r"\w+",
        """
    aber alle allem allen aller alles also andere anderen auch auf aus bei beim bereits bin bis bisher bist bitte da
    dabei dafür damit danach dann daran darauf darf das dass dein deine dem den denn der des deshalb dich die dies
    diese diesem diesen dieser dieses dir doch dort du durch ebenso eigentlich ein eine einem einen einer eines
    einfach einmal endlich er erst es etwas euch euer eure fast für ganz gar gerade gerne gern habe haben hat hatte
    hatten hier hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im immer in irgendwie ist ja jede jedem jeden
    jeder jedes jedoch jetzt kann kein keine keinem keinen keiner könnte können konnte leider lieber machen macht mal
    man manchmal mehr mein meine meinem meinen meiner mich mir mit muss müssen nach nachdem nicht nichts nie niemand
    noch nur ob oder oft ohne sehr sein seine seinem seinen seiner seit sich sie sind so sogar soll sollte sonst
    statt trotz über überhaupt um und uns unser unsere unter viel viele vielen vom von vor war waren warum was weil
    weiter welche wenig wenn wer werde werden wie wieder will wir wird wirklich wo wollen worden wurde wurden würde
    zum zur zwar zwischen frau herr herrn geht gibt kommt kommen kam ging zählt sagt sagen
    wichtig liebsten gut gute guten guter gutes super toll tolle tollen heute morgen gestern nochmal schon besser
    great good best really just like need want tomorrow today yesterday thing things
    zwei drei vier fünf sechs sieben acht neun zehn
    """,
    )
)
_TAKEN_OUT = re.compile("|".join(re.escape(f"[{word}]") for pair in KINDS.values() for word in pair))
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


@dataclass(frozen=True)
class Feedback:
    """Variables of persons with their codebook.

    Attributes
    ----------
    variables : DataFrame, index person_id
        Empty where nobody said anything.
    items : DataFrame, index variable
        kind, construct, label, label_de.
    """

    variables: pd.DataFrame
    items: pd.DataFrame

    def __add__(self, other: "Feedback") -> "Feedback":
        both = self.variables.join(other.variables, how="outer")
        return Feedback(both, pd.concat([self.items, other.items]))


def read_feedback(
    tables: Mapping[str, ir.Table], persons: Sequence[str], as_of: date, instrument: str, time_zone: str
) -> Feedback:
    """Return reasons and satisfaction of persons, from all instruments but the survey itself.

    Two instruments that call an item the same are two variables (item_instrument). See `feedback_variables`.
    """
    asked = tables["items"].filter(
        (tables["items"].instrument != instrument) & tables["items"].construct.isin(_CONSTRUCTS)
    )
    book = asked.select("instrument", "item", *_BOOK).execute().sort_values(["instrument", "item"], ignore_index=True)
    if book.empty:
        return _nothing()
    twice = book["item"].duplicated(keep=False)
    book["variable"] = book["item"].where(~twice, book["item"] + "_" + book["instrument"])
    said = answered(tables["responses"], asked)
    said = said.filter(local_day(said.responded_at, time_zone) <= as_of)
    people = tables["identity_map"].filter(tables["identity_map"].person_id.isin(list(persons)))
    said = said.inner_join(people.select("source", "source_id", "person_id"), ["source", "source_id"])
    given = said.select("person_id", "instrument", "item", "value").execute()
    if given.empty:
        return _nothing()
    given = given.merge(book[["instrument", "item", "variable"]], on=["instrument", "item"])
    given = given.drop(columns="item").rename(columns={"variable": "item"})
    items = book.set_index("variable")[_BOOK]
    found = feedback_variables(given, items)
    return Feedback(found, items.loc[list(found)])


def read_comments(tables: Mapping[str, ir.Table], persons: Sequence[str], as_of: date, time_zone: str) -> pd.DataFrame:
    """Return person_id and text of what respondents wrote in any survey, in a fixed order."""
    items = tables["items"].filter(tables["items"].kind == "comment").select("instrument", "item")
    said = tables["responses"].inner_join(items, ["instrument", "item"])
    said = said.filter(said.text.notnull() & (local_day(said.responded_at, time_zone) <= as_of))
    people = tables["identity_map"].filter(tables["identity_map"].person_id.isin(list(persons)))
    said = said.inner_join(people.select("source", "source_id", "person_id"), ["source", "source_id"])
    return said.select("person_id", "text").order_by("person_id", "text").execute()


def comment_words(
    comments: pd.DataFrame, names: "pd.DataFrame | None" = None, *, keep: Collection[str] = (), least: int = 30
) -> Feedback:
    """Return which words persons use in their comments: needs and pains nobody was asked about.

    Parameters
    ----------
    comments : DataFrame
        person_id, text.
    names, keep
        See `waage.personas.scrub.scrub`: personal data are no words.
    least : int
        A word that fewer persons use, or fewer do not use, is left out.

    Returns
    -------
    Feedback
        Columns word_<word>, 0 and 1, of everybody who commented: the words most persons use but function words, at
        most `MOST_WORDS`, each in its commonest spelling as label.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    written = comments[comments["text"].notna()]
    if written["person_id"].nunique() < 2 * least:
        return _nothing()
    texts = scrub(written["text"], names=names, persons=written["person_id"], keep=keep)["text"]
    found = texts.str.replace(_TAKEN_OUT, " ", regex=True).str.findall(_WORD)
    used = pd.DataFrame({"person_id": written["person_id"], "spelt": found}).explode("spelt").dropna()
    used["word"] = used["spelt"].str.lower()
    # What was taken out once as somebody's name is a name in every comment: bare surnames look like any word.
    before = written["text"].map(visible).str.lower().str.findall(_WORD)
    removed = {word for old, new in zip(before, found.map(_lower), strict=True) for word in Counter(old) - Counter(new)}
    used = used[(used["word"].str.len() >= SHORTEST) & ~used["word"].isin(_GERMAN | ENGLISH_STOP_WORDS | removed)]
    persons = pd.Index(sorted(written["person_id"].unique()), name="person_id")
    counts = used.drop_duplicates(["person_id", "word"])["word"].value_counts()
    counts = counts[(counts >= least) & (counts <= len(persons) - least)]
    writers = {word: set(own) for word, own in used["person_id"].groupby(used["word"]) if word in counts.index}
    kept = []
    for word in sorted(counts.index, key=lambda word: (-len(word), word)):
        if all(len(writers[word] & writers[other]) < _SAME * len(writers[word] | writers[other]) for other in kept):
            kept.append(word)
    columns, labels = {}, {}
    for word in sorted(kept, key=lambda word: (-counts[word], word))[:MOST_WORDS]:
        columns[WRITTEN + word] = persons.isin(writers[word]).astype(float)
        spelt = used["spelt"][used["word"] == word].value_counts()
        labels[WRITTEN + word] = min(spelt.index, key=lambda text: (-spelt[text], text))
    items = pd.DataFrame({"kind": "binary", "construct": "comment", "label": labels, "label_de": labels}, columns=_BOOK)
    return Feedback(pd.DataFrame(columns, index=persons), items)


def _lower(words: Sequence[str]) -> list[str]:
    return [word.lower() for word in words]


def _nothing() -> Feedback:
    return Feedback(pd.DataFrame(index=pd.Index([], name="person_id")), pd.DataFrame(columns=_BOOK))
