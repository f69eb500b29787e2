"""The surveyed sample: one row a respondent, what may be typed on, and who cannot be believed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import ibis.expr.types as ir
import pandas as pd

from waage import style
from waage.errors import Refusal, WaageError, did_you_mean
from waage.history import local_day
from waage.typology.active import active_columns

#: Fewer usable respondents are refused; below the second bound at most `FEW_TYPES` types; below the third a warning.
SIZES = (300, 500, 1000)
FEW_TYPES, MOST_TYPES = 4, 8
PER_ITEM = 60  # respondents per active item (Dolnicar, Grün and Leisch 2016, Journal of Business Research 69)
BATTERY = 8  # scale items on which one answer throughout is no coincidence (judgement)
FAST = 1 / 3  # of the median duration (judgement; Leiner 2019, Survey Research Methods 13, discusses such bounds)

_CLOSED = ("scale", "binary", "nominal", "best", "worst")
_TEXTS = {
    "answers": ("questionnaires with an answer", "Fragebögen mit einer Antwort"),
    "duplicates": ("older ones of the same person, left out", "ältere derselben Person, weggelassen"),
    "broken_off": ("less than half answered, left out", "weniger als die Hälfte beantwortet, weggelassen"),
    "straight_liners": ("one answer throughout, left out", "durchweg dieselbe Antwort, weggelassen"),
    "speeders": ("too fast, left out", "zu schnell, weggelassen"),
    "usable": ("usable for types", "für Typen verwendbar"),
    "unlinked": ("of these not in the customer file", "davon nicht in der Kundendatei"),
    "small": (
        "Only {n} usable respondents: types are coarse below {bound}.",
        "Nur {n} verwendbare Befragte: Unter {bound} sind Typen grob.",
    ),
    "few": ("With {n} respondents at most {k} types.", "Bei {n} Befragten höchstens {k} Typen."),
    "items": (
        "{n} respondents for {items} active items; {bound} would be safe ({each} an item).",
        "{n} Befragte für {items} aktive Merkmale; sicher wären {bound} ({each} je Merkmal).",
    ),
    "constant": (
        "Answered the same by all, hence left out: {names}.",
        "Von allen gleich beantwortet, daher weggelassen: {names}.",
    ),
    "no_timing": (
        "One time stamp a questionnaire: who was too fast cannot be said.",
        "Ein Zeitstempel je Fragebogen: Wer zu schnell war, lässt sich nicht sagen.",
    ),
    "maxdiff": (
        "centred within persons: the choices (best, worst) hold no habit of ticking high or low, the scales beside "
        "them should not either (first component {share}, {signs})",
        "je Person zentriert: Die Auswahlen (am besten, am schlechtesten) enthalten keine Neigung, hoch oder niedrig "
        "anzukreuzen, die Skalen daneben sollen es auch nicht (erste Komponente {share}, {signs})",
    ),
    "style": (
        "centred within persons: the first component explains {share}, {signs}: a habit of ticking high or low",
        "je Person zentriert: Die erste Komponente erklärt {share}, {signs}: eine Neigung, hoch oder niedrig "
        "anzukreuzen",
    ),
    "no_style": (
        "raw: the first component explains {share}, {signs}; no common habit of ticking high or low is seen",
        "roh: Die erste Komponente erklärt {share}, {signs}; eine gemeinsame Neigung, hoch oder niedrig anzukreuzen, "
        "zeigt sich nicht",
    ),
    "no_scales": ("no scale item is active", "keine Skala ist aktiv"),
    "asked": ("as asked for (first component {share}, {signs})", "wie verlangt (erste Komponente {share}, {signs})"),
    "one_sign": ("all loadings of one sign", "alle Ladungen mit gleichem Vorzeichen"),
    "two_signs": ("loadings of both signs", "Ladungen beider Vorzeichen"),
}


@dataclass(frozen=True)
class Sample:
    """The respondents and their answers, as `prepare_sample` reads them.

    Attributes
    ----------
    respondents : DataFrame, index response_id
        person_id (missing: not in the customer file), day (local day of the interview, datetime64), answered (share
        of the closed items), weight (given with the answers; 1 where not), straight_liner, speeder, usable.
    answers : DataFrame, index response_id
        Every item as answered: numbers for scale and binary items, text for the others; missing codes are NaN.
        Reversed items are not turned round: `items.reversed` says which they are.
    active : DataFrame, index response_id
        What types are fitted on, usable respondents only: MaxDiff scores (`maxdiff_` and the option: chosen best
        minus chosen worst, each as a share of the sets in which the person met it, -1 to 1), scale items (raw, or
        centred within the person), binary and, where asked for, nominal items.
    kinds : dict
        Active column to its kind for `fit_classes`.
    items : DataFrame, index item
        The codebook with `reversed`.
    counts : DataFrame
        measure and respondents: how the questionnaires became the sample.
    dropped : tuple of str
        Active items that all answered the same.
    style, style_rule : str
        raw or centred, and which rule said so.
    first_component, one_sign : float, bool
        Share of variance of the raw scale items' first principal component; whether its loadings have one sign.
    timed : bool
        Whether the time stamps tell who was too fast.
    """

    respondents: pd.DataFrame
    answers: pd.DataFrame
    active: pd.DataFrame
    kinds: dict[str, str]
    items: pd.DataFrame
    counts: pd.DataFrame
    dropped: tuple[str, ...]
    style: str
    style_rule: str
    first_component: float
    one_sign: bool
    timed: bool

    @property
    def n(self) -> int:
        """Usable respondents."""
        return len(self.active)

    @property
    def ks(self) -> range:
        """Numbers of types the sample carries."""
        return range(2, (FEW_TYPES if self.n < SIZES[1] else MOST_TYPES) + 1)

    def summary(self, language: str = "en") -> pd.DataFrame:
        """Return `counts` in words, one row a step."""
        at = language == "de"
        return self.counts.assign(measure=[_TEXTS[measure][at] for measure in self.counts.measure])

    def style_reason(self, language: str = "en") -> str:
        """Return why the scale items are used raw or centred, as one phrase."""
        at = language == "de"
        signs = _TEXTS["one_sign" if self.one_sign else "two_signs"][at]
        share = style.percent(self.first_component, language)
        return _TEXTS[self.style_rule][at].format(share=share, signs=signs)

    def warnings(self, language: str = "en") -> list[str]:
        """Return what a reader must know before trusting types from this sample; empty if there is nothing."""
        at, n = language == "de", style.number(self.n, language)
        said = []
        if self.n < SIZES[1]:
            said.append(_TEXTS["few"][at].format(n=n, k=FEW_TYPES))
        if self.n < SIZES[2]:
            said.append(_TEXTS["small"][at].format(n=n, bound=style.number(SIZES[2], language)))
        if self.n < PER_ITEM * len(self.kinds):
            bound = style.number(PER_ITEM * len(self.kinds), language)
            said.append(_TEXTS["items"][at].format(n=n, items=len(self.kinds), bound=bound, each=PER_ITEM))
        if self.dropped:
            said.append(_TEXTS["constant"][at].format(names=", ".join(self.dropped)))
        return said if self.timed else [*said, _TEXTS["no_timing"][at]]


def prepare_sample(
    responses: ir.Table,
    items: ir.Table,
    identity_map: ir.Table,
    *,
    customers: ir.Table | None = None,
    instrument: str = "typology",
    active: Sequence[str] | None = None,
    scales: str = "auto",
    time_zone: str = "UTC",
    min_answered: float = 0.5,
) -> Sample:
    """Read the answers to one instrument as a sample that types can be fitted on.

    Of several questionnaires of a person the newest complete one counts (complete: at least 80 % of the closed
    items), or the fullest if none is. Who gives one answer to a battery of 8 or more scale items is a straight-liner,
    reversed items among them or not: without reversed items the flag is weaker. Straight-liners, those faster than
    a third of the median and those who answered less than `min_answered` are not usable.

    Parameters
    ----------
    responses, items, identity_map : ibis tables
        As in the contract.
    customers : ibis table, optional
        With person_id: the customer file; without it everybody in `identity_map` is in it. Respondents who are not
        in it help to find types, and are counted.
    instrument : str
    active : sequence of str, optional
        Items to find types by; all scale, binary, best and worst items if left out. Nominal items and traits, which
        describe life and not motives, are active only if named.
    scales : str
        auto, raw or centred. auto centres within the person where the choices of a MaxDiff stand beside the
        scales, or where the first principal component of the raw items has loadings of one sign and explains more
        than 25 %. Raw scales of up to 7 answers are nominal to the model, longer ones and centred ones numbers.
    time_zone : str
    min_answered : float
        Share of the closed items.

    Raises
    ------
    WaageError
        If an item is not in the codebook or in `active` but unknown, or an answer lies outside its scale.
    Refusal
        If there are fewer than 300 usable respondents, or no active item is left.
    """
    if scales not in ("auto", "raw", "centred"):
        raise WaageError(
            f"scales must be auto, raw or centred, not {scales!r}{did_you_mean(scales, ('centred', 'raw'))}"
        )
    book = _codebook(items, instrument)
    long = _read(responses, identity_map, customers, instrument, time_zone)
    if long.empty:
        raise Refusal(f"responses holds no answer to the instrument {instrument!r}; types need a survey")
    answers = _wide(long, book)
    respondents, timed = _respondents(long, answers, book)
    found = len(respondents)
    respondents = _newest(respondents)
    kept = len(respondents)
    respondents = respondents[respondents.answered >= min_answered]
    answers = answers.loc[respondents.index]
    usable = respondents.usable
    values, kinds, facts = active_columns(answers, book, usable, active, scales)
    counts = {
        "answers": found,
        "duplicates": found - kept,
        "broken_off": kept - len(respondents),
        "straight_liners": int(respondents.straight_liner.sum()),
        "speeders": int((respondents.speeder & ~respondents.straight_liner).sum()),
        "usable": int(usable.sum()),
        "unlinked": int(respondents.person_id[usable].isna().sum()),
    }
    if counts["usable"] < SIZES[0]:
        steps = ", ".join(f"{number} {_TEXTS[name][0]}" for name, number in counts.items() if number)
        raise Refusal(f"{instrument}: {counts['usable']} usable respondents, and types need {SIZES[0]} ({steps})")
    same = tuple(item for item in kinds if values.loc[usable, item].nunique() < 2)
    kinds = {item: kind for item, kind in kinds.items() if item not in same}
    if not kinds:
        raise Refusal(f"{instrument}: no active item is left; all answered the same to {', '.join(same) or 'none'}")
    table = pd.DataFrame({"measure": list(counts), "respondents": list(counts.values())})
    picked = values.loc[usable, list(kinds)]
    return Sample(respondents, answers, picked, kinds, book, table, same, *facts, timed)


def _codebook(items: ir.Table, instrument: str) -> pd.DataFrame:
    book = items.filter(items.instrument == instrument).execute().set_index("item").sort_index()
    if book.empty:
        known = sorted(items.instrument.execute().dropna().unique())
        raise Refusal(
            f"items has no row of the instrument {instrument!r}{did_you_mean(instrument, known)}; there are "
            f"{', '.join(known) or 'none'}: types need a survey, named by the parameter instrument"
        )
    return book.assign(reversed=book["best"].eq("min"))


def _read(responses, identity_map, customers, instrument: str, time_zone: str) -> pd.DataFrame:
    people = identity_map.select("source", "source_id", "person_id")
    if customers is not None:
        people = people.semi_join(customers.select("person_id").distinct(), "person_id")
    asked = responses.filter(responses.instrument == instrument)
    linked = asked.left_join(people, ["source", "source_id"])
    return linked.select(
        "response_id",
        "item",
        "value",
        "text",
        "responded_at",
        "person_id",
        "weight",
        day=local_day(linked.responded_at, time_zone),
    ).execute()


def _wide(long: pd.DataFrame, book: pd.DataFrame) -> pd.DataFrame:
    """Return one row a questionnaire and one column an item, missing codes as NaN; all faults together."""
    unknown = sorted(set(long["item"]) - set(book.index))
    faults = [
        f"item {item!r} ({(long['item'] == item).sum()} answers) is not in the table items: describe it in "
        "sources/items.sql, or leave it out in sources/responses.sql"
        for item in unknown[:5]
    ]
    columns = {}
    for item, asked in book.iterrows():
        rows = long[long["item"] == item].drop_duplicates("response_id").set_index("response_id")
        codes = re.split(r"[\s,;]+", asked["missing_codes"].strip()) if isinstance(asked["missing_codes"], str) else []
        if asked["kind"] in ("scale", "binary"):
            numbers = [float(code) for code in codes if re.fullmatch(r"-?\d+(\.\d+)?", code)]
            given = rows["value"].astype(float)
            given = given.mask(given.isin(numbers))
            low, high = (0, 1) if asked["kind"] == "binary" else (asked["scale_min"], asked["scale_max"])
            wrong = given[(given < low) | (given > high)]
            if len(wrong):
                faults.append(
                    f"item {item!r} has {len(wrong)} answers outside {low:g} to {high:g}, such as {wrong.iloc[0]:g}: "
                    "list them in missing_codes or correct the scale"
                )
        else:
            given = rows["text"].astype(object)
            given = given.where(given.notna(), rows["value"].map("{:g}".format, na_action="ignore"))
            given = given.mask(given.isin(codes))
        columns[item] = given
    if faults:
        raise WaageError("responses: " + "; ".join(faults))
    return pd.DataFrame(columns, index=pd.Index(sorted(long["response_id"].unique()), name="response_id"))


def _respondents(long: pd.DataFrame, answers: pd.DataFrame, book: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    by = long.groupby("response_id")
    end = by["responded_at"].max()
    duration = (end - by["responded_at"].min()).dt.total_seconds()
    timed = bool((duration > 0).mean() > 0.5)
    closed = [item for item in book.index if book.kind[item] in _CLOSED]
    battery = answers[[item for item in closed if book.kind[item] == "scale"]].astype(float)
    straight = (battery.notna().sum(axis=1) >= BATTERY) & (battery.nunique(axis=1) == 1)
    respondents = pd.DataFrame(
        {
            "person_id": by["person_id"].first(),
            "responded_at": end,
            "day": pd.to_datetime(by["day"].max()),
            "answered": answers[closed or list(answers)].notna().mean(axis=1),
            "weight": by["weight"].first().fillna(1.0).astype(float),
            "straight_liner": straight,
            "speeder": (duration < FAST * duration.median()) & timed,
        }
    )
    return respondents.assign(usable=~(respondents.straight_liner | respondents.speeder)), timed


def _newest(respondents: pd.DataFrame) -> pd.DataFrame:
    """Keep one questionnaire a person; without a person every questionnaire is somebody's."""
    order = respondents.assign(complete=respondents.answered >= 0.8, row=respondents.index)
    order["fullest"] = order.answered.where(~order.complete, 1.0)
    order = order.sort_values(["complete", "fullest", "responded_at", "row"])
    kept = order[order.person_id.isna() | ~order.duplicated("person_id", keep="last")]
    return respondents.loc[kept.index].sort_index().drop(columns="responded_at")
