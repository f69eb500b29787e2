"""Personal data taken out of what people write: addresses, numbers and names, in German and English forms.

Own patterns and name lists, nothing that has to be loaded: Presidio's recognisers for these kinds are patterns as well,
its spaCy brings 300 MB, and without a language model it finds no bare name. Patterns err on the side of taking out.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable

import pandas as pd
from phonenumbers import Leniency, PhoneNumberMatcher

from waage.personas import names as known_names

KINDS = {
    "email": ("e-mail", "E-Mail"),
    "url": ("web address", "Internetadresse"),
    "iban": ("account", "Konto"),
    "card": ("card", "Karte"),
    "phone": ("phone", "Telefon"),
    "address": ("address", "Anschrift"),
    "number": ("number", "Nummer"),
    "birth_date": ("date of birth", "Geburtsdatum"),
    "name": ("name", "Name"),
}
"""What is taken out, and the word that stands in brackets in its place (English, German)."""


def scrub(
    texts: pd.Series,
    *,
    names: pd.DataFrame | None = None,
    persons: pd.Series | None = None,
    keep: Collection[str] = (),
    language: str = "en",
) -> pd.DataFrame:
    """Take personal data out of comments; what was there is named in brackets, such as [phone].

    Parameters
    ----------
    texts : Series of str
    names : DataFrame, optional
        The customer file: first_name, last_name and, for `persons`, person_id. All its names are taken out; those
        that are everyday words (Klein, Rose) only where the text says that a person is meant.
    persons : Series of str, optional
        Who wrote each text, on the index of `texts`: a person's own names are looked for more strictly.
    keep : collection of str
        Words that are no names in this study (brands, products) unless the text says that a person is meant.
    language : str
        Of the words in brackets (en, de).

    Returns
    -------
    DataFrame
        On the index of `texts`: text (line breaks and invisible marks removed), removed (the kinds, in order of
        `KINDS`, joined by a space).
    """
    book = known_names.name_book(names, keep)
    own = {} if names is None or persons is None else known_names.own_names(names, persons)
    cleaned = []
    for row, text in texts.items():
        mine = own.get(persons[row], frozenset()) if own else frozenset()
        cleaned.append(_scrub_one("" if pd.isna(text) else str(text), book, mine, language))
    return pd.DataFrame(cleaned, columns=["text", "removed"], index=texts.index)


def _scrub_one(text: str, book: known_names.Names, own: Collection[str], language: str) -> tuple[str, str]:
    text = visible(text)
    spans: list[tuple[int, int, str]] = []

    blank = text  # what was found is overwritten, so that no later pattern finds a part of it again
    for kind, found in _FINDERS:
        for start, end in sorted(found(blank)):
            if "\0" not in blank[start:end]:
                spans.append((start, end, kind))
                blank = blank[:start] + "\0" * (end - start) + blank[end:]
    for start, end in known_names.name_spans(blank, book, own):
        spans.append((start, end, "name"))
    for start, end, kind in sorted(spans, reverse=True):
        text = f"{text[:start]}[{KINDS[kind][language == 'de']}]{text[end:]}"
    # a street and its town are one address
    text = re.sub(r"(\[[\w. -]+\])(?:[\s,;]*\1)+", r"\1", text)
    text = re.sub(r"\s+", " ", text).strip()
    return text, " ".join(kind for kind in KINDS if any(kind == span[2] for span in spans))


def visible(text: str) -> str:
    """Return a text without marks that nobody sees: controls, zero-width letters, overrides of the direction.

    A pattern would not see an address through them, and a page could be turned around by them. Joiners inside emoji
    and between letters that need them stay, and so do right-to-left letters themselves.
    """
    text = unicodedata.normalize("NFC", text).translate(_FULL_WIDTH)
    text = re.sub(r"(?<=[\x00-\u024f])[\u200c\u200d]|[\u200c\u200d](?=[\x00-\u024f]|$)", "", text)
    return "".join(
        letter if letter in "\n\u200c\u200d" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co")
        else " " if letter in "\t\r\v\f" else ""
        for letter in text
    )  # fmt: skip


_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0xA0: " ", 0x202F: " ", 0x2009: " "}

# Numbers with a unit are quantities, whatever stands before them.
_UNIT = (
    r"(?!\s?(?:%|[€$£¥]|(?i:x|eur|euros?|chf|cent|franken|cm|mm|m|km|kg|g|ml|l|w|watt|stücke?|stk|mal|min|minuten?|std|"
    r"stunden?|tagen?|wochen?|monaten?|jahren?|uhr|paare?|artikel|teile?|punkten?|pakete?n?|sternen?|grad|prozent|meter|"
    r"kilometer|gramm|seiten|schritte|leute|kunden|bestellungen|follower|dank|pieces?|pcs|items?|pairs?|times|days?|weeks?|"
    r"months?|years?|hours?|minutes?|points?|stars?|miles?|people|orders|parcels|dollars?|pounds?|percent|pages|steps|likes|"
    r"thanks|modell|model|kollektion|collection|mah|lumen|kcal|gb|tb|kwh)\b))"
)
_TOP = "de|com|net|org|eu|ch|info|io|shop|biz|co\\.uk|uk|li|example|fr|nl|dev|tv|blog"
_EMAIL = re.compile(
    r"(?:mailto:)?(?:\w+\s(?:punkt|dot)\s)?[\w.%+'-]+\s?(?:@|\(at\)|\[at\]|\{at\}|\(@\)|\[@\]|\(ät\)|\[ät\]|\s+at\s+(?=\S+\s+(?:dot|punkt)\s))\s?"
    r"[\w-]+(?:(?:\.|\s?(?:\(dot\)|\[dot\]|\(punkt\)|\[punkt\])\s?|\s+(?:dot|punkt)\s+)[\w-]+)+|"
    r"[\w.%+'-]+\s(?:at|ät)\s[\w-]+\.(?:" + _TOP + r"|at)\b|(?<!\w)@[A-Za-z]\w{2,}(?:\.\w+)*",
    re.IGNORECASE,
)
_URL = re.compile(
    r"(?:https?|ftp)\s?:\s?//\s?\S+?(?=[.,;:!?)\]}\"'»“]*(?:\s|\0|$))|"
    r"\bwww\.\S+?(?=[.,;:!?)\]}\"'»“]*(?:\s|\0|$))|"
    rf"\b(?:[\w-]+\.)+(?:{_TOP})\b(?:[:/?#]\S*?(?=[.,;:!?)\]}}\"'»“]*(?:\s|\0|$)))?|"
    r"\b(?:[\w-]+\.)+(?:at|it|us|to|be|co|me|app)\b(?=[.,;:!?)]*(?:\0|$))|"
    r"\b(?:[\w-]+\.)+[a-z]{2,6}/\w\S*",
    re.IGNORECASE,
)
_IBAN_LENGTHS = (
    "AD24 AE23 AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GI23 GR27 HR21 HU28 IE22 IL23 IS26 "
    "IT27 LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 RO24 SA24 SE24 SI19 SK24 SM27 TR26 UA29"
)
_IBAN = re.compile(
    "|".join(
        rf"\b{entry[:2]}\s?\d\d(?:[ .-]{{0,2}}[0-9A-Z]){{{int(entry[2:]) - 4}}}(?![0-9A-Z])"
        for entry in _IBAN_LENGTHS.split()
    )
    + r"|\b[A-Z]{2}\d{2}(?:[ .-]?\d{4}){3,7}(?:[ .-]?\d{1,3})?\b",  # mistyped, but meant as one
    re.IGNORECASE,
)
_LONG = re.compile(r"(?<![\w.,])\d(?:[ .-]{0,2}\d){12,18}(?!\w)")
_PHONE = re.compile(r"(?<![\w.,/])(?:\+\s?|\(\s?\+?\s?)?\d(?:[\s()/.–-]{0,3}\d){5,16}(?!\w)")
_US_PHONE = re.compile(r"(?<![\w.,])\(?[2-9]\d\d\)?[ .-]{1,2}\d{3}[ .-]\d{4}(?!\w)|(?<!\w)555[ -]\d{4}(?!\w)")
_CALL = re.compile(
    r"\b(?:tel(?:efon)?(?:nummer|nr)?|phone|mobil(?:e|nummer|telefon)?|handy(?:nummer|nr)?|cell|fax|whats\s?app|rückruf|"
    r"call me|ring me|text me|(?:rufen|ruft) sie mich[\w ]* an|anrufen|durchwahl|number)\b[^\d\0]{0,25}?"
    r"(?P<found>\+?\d(?:[\s()/.-]{0,3}\d){4,14})(?!\w)" + _UNIT,
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\s*(?:0?[1-9]|[12]\d|3[01])[./ -]{1,2}(?:0?[1-9]|1[0-2])(?:[./-]\s?(?:(?:19|20)\d\d|\d\d(?!\d))|\.(?=\D|$))"
)
_HOUSE = (
    r"\s?(?:nr\.?\s?)?\d{1,4}(?!\d)"
    + _UNIT
    + r"(?:\s?[a-z](?!\w))?(?:\s?[/–-]\s?\d{1,3}(?:[a-z](?!\w))?)*(?!\w|[.,]\d)"
)
_CAPITAL = r"(?-i:[A-ZÄÖÜ])[\w.-]+"
_STREET = re.compile(
    r"\b(?!(?:park|arbeits|sitz|stell|spiel|lager|ohr|schlüssel|schmuck|verlobungs|ehe|finger|um|rück|hin|heim|unter|sp|du|b|"
    r"st|bestell)(?:platz|ring|weg|zeile)\b)[^\W\d_][\w-]+(?:straße|strasse|str\.?|weg|platz|allee|gasse|ring|damm|ufer|"
    rf"chaussee|steig|promenade|zeile|kai)\s{_HOUSE}|"
    rf"\b[^\W\d_][\w-]+(?:straße|strasse|str\.){_HOUSE}|"
    rf"\b(?:(?:{_CAPITAL}[ -]){{0,2}}[^\W\d_][\w.-]+[ -])(?:straße|strasse|str\.){_HOUSE}|"
    rf"\b(?:{_CAPITAL}[ -]){{1,3}}(?-i:Weg|Platz|Allee|Gasse|Ufer|Chaussee|Gürtel|Steig){_HOUSE}|"
    rf"\b(?:am|an der|an den|auf der|auf dem|im|in der|zum|zur|unter den|hinter der|beim) {_CAPITAL}{_HOUSE}"
    r"(?=\s?,?\s*(?:in\s)?(?:[A-Z]{1,2}-)?\d{4,5}\s)|"
    r"(?:\b(?:wohne|wohnt|wohnen|adresse|anschrift|address)\b[^\d\0]{0,20}?|\blives? (?:at|in) )"
    rf"(?P<found>\b(?:(?:am|an der|auf der|auf dem|im|in der|zum|zur|unter den) )?{_CAPITAL}{_HOUSE})|"
    r"\b(?:flat \w{1,3},? )?\d{1,5}[a-z]?,? (?:[^\W\d_][\w'.-]+ ){1,3}"
    r"(?:street|st\.|st\b(?=,| [A-Z]{1,2}\d)|road|rd\b\.?|avenue|ave\b\.?|lane|drive|close|crescent|square|terrace|"
    r"gardens|boulevard|blvd|court|way)\b\.?",
    re.IGNORECASE,
)
_PLACES = (
    "berlin|hamburg|münchen|muenchen|köln|koeln|frankfurt|stuttgart|düsseldorf|leipzig|dortmund|essen|bremen|dresden|"
    "hannover|nürnberg|duisburg|bochum|wuppertal|bielefeld|bonn|münster|karlsruhe|mannheim|augsburg|wiesbaden|kiel|aachen|"
    "wien|graz|linz|salzburg|innsbruck|klagenfurt|villach|wels|dornbirn|bregenz|eisenstadt|zürich|zuerich|genf|basel|"
    "lausanne|bern|winterthur|luzern|st\\. gallen|lugano|biel|thun|chur|schaffhausen|zug|freiburg|aarau|olten|baden"
)
_PLACE = re.compile(
    rf"\b(?:(?i:plz):?\s?)?(?:DE?-)?(?<!\d)\d{{5}}{_UNIT}\s(?:(?i:{_PLACES})\b|(?:(?:Bad|St\.|Sankt) )?[A-ZÄÖÜ][\w.-]+)"
    r"(?: (?:am|an der|im|in der|ob der) [A-ZÄÖÜ]\w+| [A-ZÄÖÜ]\w+(?=[\s,.!]*(?:$|\0)))?|"
    rf"\b(?:A|AT|CH|FL)-\d{{4}}\s[A-ZÄÖÜ][\w.-]+|\b[1-9]\d{{3}}\s(?i:{_PLACES})\b|"
    rf"(?<=\0)[,;]?\s?(?:in\s)?[1-9]\d{{3,4}}{_UNIT}\s[^\W\d_][\w.-]+(?:\s(?:am|an der|im)\s\w+)?|"
    r"\b[A-Z]{1,2}\d[A-Z\d]?\s?\d[ABD-HJLNP-UW-Z]{2}\b|\b[A-Z][a-z]+,?\s[A-Z]{2}\s\d{5}(?:-\d{4})?\b"
)
_CUED_NUMBER = re.compile(
    r"(?:\b(?:(?:kunden?|bestell|auftrags?|rechnungs?|vorgangs?|sendungs?|paket|tracking|karten|mitglieds?|"
    r"vertrags?|konto|personal|ausweis|referenz|retouren?|artikel|kd|best|order|customer|client|invoice|account|"
    r"member(?:ship)?|ticket|reference|case|return|parcel|article|item|booking|loyalty card)"
    r"[\s.-]{0,2}(?:nummer|nr|no|number|num|id|code|#|№)|"
    r"ref|az)\b[\s.:#=-]{0,3}(?:(?:ist|lautet|is|war|was)\b[\s:]*)?|"
    r"\b(?:bestellung|auftrag|rechnung|vorgang|sendung|ticket|order|invoice|case|parcel|customer|kunde)"
    r"\s?[#:№-]?\s?#?|#|№|\b(?:nr|no)\.\s?)"
    r"(?P<found>(?=[\w./-]*\d{3})(?:[A-Za-z0-9]+[-/._]){0,4}[A-Za-z0-9]*\d[A-Za-z0-9]*|"
    r"\d{2,4}(?:[ ]\d{2,4}){1,4})(?!\w|[.,]\d)" + _UNIT,
    re.IGNORECASE,
)
_BARE_NUMBER = re.compile(
    r"\b(?=\w*\d{4})(?=(?:[A-Z]*\d){6})[A-Z0-9]{10,}\b|"
    r"\b(?=[A-Za-z0-9-]*\d{4})[A-Z]{1,4}-?\d{5,}\b|(?<![\w.,])(?!\d0+\b)\d{7,}(?!\w|[.,]\d)" + _UNIT
)
_BORN = re.compile(
    r"(?:\bgeb(?:\.|oren)?\b|geburts(?:tag|datum)|\bborn\b|birth(?:day|date)|date of birth|\bdob\b)[^\d\0]{0,12}"
    r"(?P<found>\d{1,4}[./-]\s?(?:\d{1,2}|\w{3,9})[./-]?\s?\d{2,4})",
    re.IGNORECASE,
)


def _spans(pattern: re.Pattern, accept=lambda found: True):
    """Return a finder of the pattern's matches, or of its group `found`, that are accepted."""
    part = "found" if "found" in pattern.groupindex else 0

    def find(text: str) -> list[tuple[int, int]]:
        matches = (match.span(part) if match[part] else match.span() for match in pattern.finditer(text))
        return [span for span in matches if accept(text[slice(*span)])]

    return find


def _digits(found: str) -> list[int]:
    return [unicodedata.digit(letter) for letter in found if letter.isdigit()]


def _is_card(found: str) -> bool:
    """Luhn (1960), US patent 2950048: from the right, every second digit counts double, cross-summed."""
    digits = _digits(found)[::-1]
    return sum(digits[::2]) % 10 == -sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2]) % 10


def _is_phone(found: str) -> bool:
    """A number that is dialled: with + or a leading 0, seven digits or more, and no date."""
    digits = _digits(found)
    starts = found.lstrip("( ").startswith("+") or digits[0] == 0
    return starts and len(digits) >= 7 and not _DATE.match(found) and any(digits[1:])


def _library_phones(text: str) -> Iterable[tuple[int, int]]:
    """What Google's library knows for a valid number of the region without a leading 0."""
    if sum(letter.isdigit() for letter in text) < 9:
        return
    for region in ("DE", "AT", "CH", "GB", "US"):
        for match in PhoneNumberMatcher(text, region, Leniency.VALID):
            if len(_digits(match.raw_string)) >= 9 and not _DATE.match(match.raw_string):
                yield match.start, match.end


_FINDERS = [
    ("email", _spans(_EMAIL)),
    ("url", _spans(_URL)),
    ("iban", _spans(_IBAN, lambda found: len(_digits(found)) > 9)),  # "es 60 Euro ..." is none
    ("card", _spans(_LONG, _is_card)),
    ("birth_date", _spans(_BORN)),
    ("number", _spans(_CUED_NUMBER, lambda found: not _DATE.match(found))),
    ("phone", _spans(_PHONE, _is_phone)),
    ("phone", _spans(_US_PHONE)),
    ("phone", _spans(_CALL, lambda found: not _DATE.match(found))),
    ("phone", _library_phones),
    ("address", _spans(_STREET)),
    ("address", _spans(_PLACE)),
    ("number", _spans(_LONG)),
    ("number", _spans(_BARE_NUMBER)),
]
