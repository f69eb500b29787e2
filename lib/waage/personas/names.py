"""Names of persons in comments: which words are names, and where a word that is also something else is one."""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import yaml


@dataclass(frozen=True)
class Names:
    """Folded names: `sure` are taken out wherever they stand, `everyday` only where a person is meant."""

    sure: frozenset[str]
    everyday: frozenset[str]
    first: frozenset[str]
    listed: frozenset[str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _words("herr herrn frau hr fr familie fam mr mrs ms miss mister dr prof kollege kollegin")
_PARTICLES = _words("von van vom zu zum zur der den dem de del della di da dos du la le el al bin ter ten")
_NO_NAME = _words("gmbh firma test unbekannt kunde kundin gast customer guest unknown name herr frau familie")
_NO_SURNAME = _words(
    "aus an vom von in im das die der und ihr ihre euer eure team service kundin kunde kunden filiale the from your "
    "to for of all and everyone a customer customers store shop online bestellung lieferung groesse farbe modell "
    "danke thanks ich i we wir es it sie bitte please auch weiter so"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SAYS_NAME = re.compile(
    r"\b(?:mein name ist|ich hei(?:ß|ss)e|my name is|my name's|gez\.|gezeichnet|signed|namens|name:)\s*",
    re.IGNORECASE,
)
_MAY_SAY_NAME = re.compile(
    r"\b(?:ich bin(?: die| der)?|hier (?:ist|schreibt)(?: die| der)?|i am|i'm|this is|hallo|hi|hello|dear|liebe[rs]?|"
    r"hey|danke(?: an)?|thanks(?: to)?|thank you|gr(?:ü|ue)(?:ß|ss)e an|mitarbeiter(?:in)?|verkäufer(?:in)?|assistant|"
    r"colleague|meine? (?:frau|mann|tochter|sohn)|my (?:wife|husband|son|daughter|friend))[,\s]\s*",
    re.IGNORECASE,
)
_CLOSING = (
    r"\b(?:gr(?:ü|ue)(?:ß|ss)e?n?|gru(?:ß|ss)|gr(?:ü|ue)(?:ß|ss)t|greetings|regards|wishes|sincerely|faithfully|lg|mfg|vg|bg|"
    r"bald|soon|danke|dank|thanks|thank you|cheers|yours|love|ciao|servus)\b"
)
_SIGNED = re.compile(
    rf"(?:{_CLOSING}[\s,;.:!–-]*|[.!?]\s+[–-]?\s*(?!(?:best |kind )?{_CLOSING}))"
    r"(?P<found>\w+[\w'’.-]*(?: \w+[\w'’.-]*){0,2})\W*$",
    re.IGNORECASE | re.MULTILINE,
)


def name_spans(text: str, book: Names, own: Collection[str]) -> list[tuple[int, int]]:
    """Return where names of persons stand; neighbouring words of one name are one span."""
    words = [(match.start(), match.end(), match[0]) for match in _WORD.finditer(text)]
    folded = [_bare(word, book, own) for _, _, word in words]
    capital = [word[0].isupper() for _, _, word in words]
    quiet = not any(map(str.isupper, text))  # without any capital letter, the case of a word says nothing
    known = [f in book.sure or f in book.everyday or f in own for f in folded]
    is_name = [
        _is_own(i, words, folded, own, book, text)
        or (f in book.sure and (capital[i] or quiet or (f in book.listed and len(f) > 3)))
        for i, f in enumerate(folded)
    ]
    starts = {start: i for i, (start, _, _) in enumerate(words)}

    def joined(i: int) -> bool:
        return 0 <= i < len(words) - 1 and bool(re.fullmatch(r"\.? ", text[words[i][1] : words[i + 1][0]]))

    def take(i: int, ends: int, only_known: bool) -> None:
        """Take the words from the i-th on that may be one name."""
        while i < ends and (known[i] or (not only_known and capital[i])) and folded[i] not in _NO_SURNAME:
            is_name[i] = True
            if not joined(i):
                return
            i += 1

    for i, f in enumerate(folded):
        if f in _TITLES and joined(i) and folded[i + 1] not in _TITLES and (capital[i + 1] or known[i + 1]):
            is_name[i + 1] |= folded[i + 1] not in _NO_SURNAME
        elif joined(i) and f in book.first and known[i] and known[i + 1]:
            written = capital[i] and capital[i + 1] and not text.isupper()
            both = written or not {f, folded[i + 1]} <= book.everyday
            is_name[i], is_name[i + 1] = is_name[i] or both, is_name[i + 1] or both
    for match in _SAYS_NAME.finditer(text):
        if match.end() in starts:
            take(starts[match.end()], starts[match.end()] + 3, only_known=False)
    for match in _MAY_SAY_NAME.finditer(text):
        i = starts.get(match.end(), len(words))
        if i < len(words) and (capital[i] or quiet) and (folded[i] in book.first or folded[i] in book.sure):
            take(i, i + 2, only_known=True)
    for match in _SIGNED.finditer(text):
        inside = [i for i, (start, _, _) in enumerate(words) if match.start("found") <= start < match.end("found")]
        greeting = not match[0].startswith((".", "!", "?"))
        if inside and not any(folded[i] in _NO_SURNAME or folded[i] in _TITLES for i in inside):
            strong = greeting and not re.match("dank|thank|love|cheers|bald|soon", match[0], re.IGNORECASE)
            if all(known[i] or (strong and capital[i]) for i in inside) and (
                greeting or folded[inside[0]] in book.first
            ):
                take(inside[0], inside[-1] + 1, only_known=not strong)
    for i in range(len(words) - 1):  # what follows a first name is a surname; particles go with it
        if is_name[i] and joined(i) and not is_name[i + 1]:
            j = i + 1
            while joined(j) and folded[j] in _PARTICLES:
                j += 1
            follows = (folded[i] == _fold(words[i][2]) and folded[i] in book.first) or known[j] or len(words[j][2]) == 1
            if capital[j] and follows and folded[j] not in _NO_SURNAME | _PARTICLES:
                is_name[i + 1 : j + 1] = [True] * (j - i)
    spans: list[tuple[int, int]] = []
    for i, (start, end, _) in enumerate(words):
        if is_name[i]:
            together = i and is_name[i - 1] and joined(i - 1)
            spans = [*spans[:-1], (spans[-1][0], end)] if together else [*spans, (start, end)]
    return spans


def _is_own(i: int, words: list, folded: list[str], own: Collection[str], book: Names, text: str) -> bool:
    """A person's own name counts; one that is an everyday word only as a capital where no sentence starts."""
    if folded[i] not in own:
        return False
    if folded[i] not in book.everyday:
        return True
    before = text[: words[i][0]].rstrip()
    led = i and re.fullmatch(r"d(er|ie|as|en|em|es)|i[nm]|zu|zum|am|the|a|an|ein\w*|kein\w*|sehr|so|too", folded[i - 1])
    return words[i][2][0].isupper() and bool(before) and before[-1] not in ".!?:\n" and not led


def _bare(word: str, book: Names, own: Collection[str]) -> str:
    """Return the folded word without the ending of a possessive, or what its parts are if all are names."""
    folded = _fold(word)
    stem = re.sub(r"['’]?s$", "", folded)
    for form in (folded, stem if word[0].isupper() else folded):
        if form in own or form in book.sure or form in book.everyday:
            return form
    parts = re.split("[-'’]", folded)
    return parts[0] if len(parts) > 1 and all(part in book.sure | book.everyday for part in parts) else folded


def name_book(names: pd.DataFrame | None, keep: Collection[str]) -> Names:
    """Return the names of the lists and of the customer file; words to `keep` count as everyday words."""
    listed, words, everyday = _lists()
    first = listed if names is None else listed | _all_forms(names["first_name"])
    every = first if names is None else first | _all_forms(names["last_name"])
    everyday = everyday | _all_forms(pd.Series(list(keep), dtype=str)) | (every & words)
    everyday = everyday | {form for form in every if len(form) < 3}
    return Names(every - everyday, everyday, first, listed)


def own_names(names: pd.DataFrame, persons: pd.Series) -> dict:
    """Return the folded names of each person who wrote something."""
    mine = names[names["person_id"].isin(set(persons.dropna()))]
    return {
        person: frozenset(_all_forms(rows["first_name"]) | _all_forms(rows["last_name"]))
        for person, rows in mine.groupby("person_id")
    }


@cache
def _lists() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    lists = yaml.safe_load((Path(__file__).parent / "names.yaml").read_text(encoding="utf-8"))
    first, words, everyday = (frozenset(_all_forms(pd.Series(lists[key].split()))) for key in lists)
    return first - words, words, everyday


def _all_forms(column: pd.Series) -> set[str]:
    return {form for name in column.dropna().unique() for form in _forms(name)}


def _forms(name: str) -> set[str]:
    """Return a name and its parts as texts may write them: Müller, Mueller and Muller."""
    forms = set()
    for word in _WORD.findall(unicodedata.normalize("NFC", str(name))):
        for part in (word, *re.split("[-'’]", word)):
            forms |= {_fold(part), _fold(part, umlauts=False)}
    return {form for form in forms if len(form) > 1} - _PARTICLES - _NO_NAME


_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_LETTERS = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "æ": "ae", "đ": "d", "œ": "oe"})


def _fold(word: str, umlauts: bool = True) -> str:
    word = word.casefold().translate(_LETTERS)
    word = unicodedata.normalize("NFD", word.translate(_UMLAUTS) if umlauts else word)
    return "".join(letter for letter in word if not unicodedata.combining(letter))
