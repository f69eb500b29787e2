"""The typology survey: who answers, how, and what the panel's export makes of it.

Motives are continuous and heavy-tailed within each type, items load on several of them, answers pass through personal
response styles: no latent class or factor model that may later be fitted is exactly true.
"""

from io import StringIO

import numpy as np
import pandas as pd

from waage.demo.files import Files
from waage.demo.identities import moment
from waage.demo.noise import observe
from waage.demo.world import Settings, stream

NO_ANSWER = -99
WAVE = (70, 14)  # days before the end between which the panel was asked
STRAIGHT_LINERS = 0.04
MISSING = 0.03

MOTIVES = ("price", "inspiration", "speed", "quality", "family", "advice", "ease")
SETS = ((0, 1, 3), (1, 2, 4), (2, 3, 5), (3, 4, 6), (4, 5, 0), (5, 6, 1), (6, 0, 2))  # each pair of motives once

# Rows are types, columns motives, in standard deviations of the answers' scale.
_PROFILE = np.array(
    [
        [1.30, 0.00, -0.20, -0.70, 0.10, -0.60, 0.00],
        [-0.40, 1.40, 0.10, -0.10, -0.70, -0.10, 0.20],
        [-0.10, -0.50, 1.20, 0.00, -0.30, -0.50, 0.70],
        [-0.90, 0.00, -0.50, 1.20, -0.20, 0.90, -0.20],
        [0.30, -0.40, 0.20, 0.10, 1.40, 0.10, 0.10],
    ]
)
SPREAD = 0.45  # of motives within a type
ERROR = 0.60  # of an answer around its motives

_SCALES = """q01|price|1.0|max|I compare prices before I buy|Ich vergleiche Preise, bevor ich kaufe
q02|price|0.9|max|I wait for sales|Ich warte auf den Schlussverkauf
q03|inspiration|1.0|max|I like to discover new looks|Ich entdecke gern neue Looks
q04|inspiration|0.9|max|Fashion is part of who I am|Mode gehört zu mir
q05|speed|1.0|max|Shopping must be over quickly|Einkaufen muss schnell gehen
q06|speed|0.8|max|I buy where delivery is fastest|Ich kaufe, wo am schnellsten geliefert wird
q07|quality|1.0|max|I would rather pay more for what lasts|Ich gebe lieber mehr aus für etwas, das hält
q08|quality|0.8|min|Good materials: 1 very important to 5 unimportant|Gute Materialien: 1 sehr wichtig bis 5 unwichtig
q09|family|1.0|max|I mostly shop for others at home|Ich kaufe meist für andere zu Hause ein
q10|family|0.9|max|My days are full with family|Meine Tage sind mit Familie ausgefüllt
q11|advice|0.9|max|I like to be advised|Ich lasse mich gern beraten
q12|advice|0.7|max|I like to go to a store|Ich gehe gern in eine Filiale
q13|ease|0.9|max|Returns must be easy|Zurückgeben muss einfach sein
q14|ease|0.7|max|Online shopping is simpler|Online einkaufen ist einfacher"""
_BINARIES = """q15|inspiration|1.0|max|Interest: fashion magazines|Interesse: Modezeitschriften
q16|speed|0.8|max|Interest: technology|Interesse: Technik
q17|quality|0.9|max|Interest: furnishing|Interesse: Einrichten
q18|family|1.1|max|Interest: children|Interesse: Kinder
q19|price|0.9|max|Interest: bargain sites|Interesse: Schnäppchenportale
q20|advice|0.8|max|Interest: craft and gardening|Interesse: Handwerk und Garten"""
_ITEM = ["item", "construct", "loading", "best", "label", "label_de"]


def _read(text: str) -> pd.DataFrame:
    return pd.read_csv(StringIO(text), sep="|", names=_ITEM)


_LIKERT, _MULTI = _read(_SCALES), _read(_BINARIES)

_COMMENTS = (
    "Mir ist vor allem der Preis wichtig.|Ich kaufe am liebsten, wenn es Prozente gibt.",
    "Ich liebe es, neue Kollektionen zu entdecken.|More new brands please, I get bored quickly.",
    "Es muss einfach schnell gehen.|I just want it to arrive tomorrow.",
    "Qualität geht vor, ich will lange etwas davon haben.|Früher war die Beratung in der Filiale besser.",
    "Mit drei Kindern zählt jede Minute.|Bitte mehr Auswahl bei Kindergrößen.",
)
_JOBS = ("employed", "self-employed", "civil servant", "in training", "at home", "retired", "looking for work")


def codebook() -> pd.DataFrame:
    """Return the items of the wide export, one row a column of answers, as the table `items` has them."""
    scales = _LIKERT.assign(kind="scale", scale_min=1, scale_max=5, missing_codes=str(NO_ANSWER))
    binaries = _MULTI.assign(kind="binary", best=None)
    choices = []
    for number, motives in enumerate(SETS, start=1):
        shown = ", ".join(MOTIVES[m] for m in motives)
        choices.append(
            (f"m{number}_best", "best", "motive", f"Most important of: {shown}", f"Am wichtigsten von: {shown}")
        )
        choices.append(
            (f"m{number}_worst", "worst", "motive", f"Least important of: {shown}", f"Am unwichtigsten von: {shown}")
        )
    traits = [
        ("age_group", "trait", "life", "Age group", "Altersgruppe"),
        ("gender", "trait", "life", "Gender", "Geschlecht"),
        ("household_size", "trait", "life", "Persons in the household", "Personen im Haushalt"),
        ("occupation", "nominal", "life", "Occupation", "Berufliche Stellung"),
        ("comment", "comment", None, "What matters to you when you shop?", "Was ist Ihnen beim Einkaufen wichtig?"),
    ]
    others = pd.DataFrame(choices + traits, columns=["item", "kind", "construct", "label", "label_de"])
    columns = ["item", "kind", "construct", "label", "label_de", "scale_min", "scale_max", "best", "missing_codes"]
    book = pd.concat([frame.reindex(columns=columns).astype(object) for frame in (scales, binaries, others)])
    return book.reset_index(drop=True)


def write_survey(settings: Settings, chunk: int, people: pd.DataFrame, n_orders: pd.Series, out: Files) -> None:
    """Write one chunk's answers (survey_panel.csv), once the codebook, the panel's identities and who is who.

    Parameters
    ----------
    settings : Settings
    chunk : int
    people : DataFrame
        The people frame of the chunk.
    n_orders : Series of int
        Purchases by person_no: heavy buyers answer more.
    out : Files
    """
    rng = stream(settings.seed, "survey", chunk)
    start, end = (7 * settings.weeks - days for days in WAVE)
    bought = n_orders.reindex(people["person_no"]).fillna(0).to_numpy(float)
    chance = 1 / (1 + np.exp(1.35 - 1.0 * np.log1p(bought)))
    asked = (people["in_panel"] & (people["acquired"] < start)).to_numpy()
    rows = np.flatnonzero(asked & (rng.random(len(people)) < chance))
    mine = people.iloc[rows]
    answers, is_straight = draw_answers(rng, mine)

    number = stream(settings.seed, "survey_numbers", chunk).permutation(len(people))[: len(rows)]
    response = [f"P{chunk:03d}{no:06d}" for no in number]
    day = rng.integers(start, end, len(rows))
    seen = observe(rng, mine, day, email=0.45, phone=0.15, name=0.75, address=0.35, birth=0.35, junk=settings.junk)
    export = pd.DataFrame({"response_id": response})
    web = mine["web_id"].to_numpy(dtype=object, na_value=None)
    export["web_id"] = np.where(rng.random(len(rows)) < 0.6, web, None)
    contact = ["email", "first_name", "last_name", "phone", "street", "postcode", "city"]
    export[contact] = seen[contact]
    export["birth_date"] = seen["birth_date"].dt.strftime("%Y-%m-%d")
    export["responded_at"] = np.datetime_as_string(moment(settings, day, rng).astype("M8[s]")).astype(object)
    export["responded_at"] = export["responded_at"].str.replace("T", " ")
    export = pd.concat([export, answers.reset_index(drop=True)], axis=1)
    age = (settings.last_day.year - mine["birth_date"].dt.year).to_numpy()
    export["age_group"] = np.array(["16-29", "30-44", "45-59", "60+"], dtype=object)[
        np.searchsorted([30, 45, 60], age, "right")
    ]
    export["gender"] = mine["gender"].to_numpy(dtype=object)
    size = people.groupby("household_no")["person_no"].transform("size").to_numpy()[rows]
    export["household_size"] = np.minimum(size + rng.integers(0, 2, len(rows)), 5)
    job = rng.choice(len(_JOBS), len(rows), p=[0.55, 0.1, 0.08, 0.09, 0.09, 0.04, 0.05])
    job = np.where((age >= 66) & (rng.random(len(rows)) < 0.9), _JOBS.index("retired"), job)
    export["occupation"] = np.array(_JOBS, dtype=object)[job]
    export["comment"] = _comments(rng, mine)
    if chunk == 0:
        out.csv("survey_items", codebook())
    order = np.argsort(export["response_id"].to_numpy())
    out.csv("survey_panel", export.iloc[order])
    truth = pd.DataFrame({"response_id": response, "person_id": mine["person_id"].to_numpy(dtype=object)})
    truth["straight_liner"] = is_straight
    out.truth("survey", truth.iloc[order])
    known = pd.DataFrame({"source": "panel", "source_id": truth["response_id"], "person_id": truth["person_id"]})
    out.truth("identities", known.iloc[order])


def draw_answers(rng: np.random.Generator, people: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the answers, one column an item (NO_ANSWER; None in the choice sets), and who ticks one box throughout."""
    n = len(people)
    motives = _PROFILE[people["type"]] + SPREAD * rng.standard_t(6, (n, len(MOTIVES))) / np.sqrt(1.5)
    # What somebody pays attention to is seen in the purse too, a little.
    motives[:, 0] += 0.5 * (people["price_sensitivity"].to_numpy() - 0.5)
    motives[:, 4] += 0.8 * (people["t_kids"].to_numpy() - 0.13)
    shift, stretch = 0.35 * rng.standard_normal((n, 1)), np.exp(0.22 * rng.standard_normal((n, 1)))

    def signal(items: pd.DataFrame) -> np.ndarray:
        loading = np.zeros((len(MOTIVES), len(items)))
        main = [MOTIVES.index(name) for name in items["construct"]]
        loading[main, np.arange(len(items))] = items["loading"]
        loading[(np.array(main) + 2) % len(MOTIVES), np.arange(len(items))] += 0.15  # no item is pure
        return motives @ loading

    felt = signal(_LIKERT) + ERROR * rng.standard_normal((n, len(_LIKERT)))
    felt *= np.where(_LIKERT["best"] == "min", -1.0, 1.0)
    likert = np.clip(np.rint(3.2 + stretch * 0.95 * felt + shift), 1, 5).astype(int)
    straight = rng.random(n) < STRAIGHT_LINERS
    likert[straight] = rng.choice([3, 4, 5], straight.sum(), p=[0.5, 0.3, 0.2])[:, None]
    likert[rng.random(likert.shape) < MISSING] = NO_ANSWER
    ticked = signal(_MULTI) * 1.5 + rng.logistic(0.9, 1.0, (n, len(_MULTI))) * 1.0 - 1.4 > 0
    answers = pd.DataFrame(likert, columns=_LIKERT["item"]).join(
        pd.DataFrame(ticked.astype(int), columns=_MULTI["item"])
    )
    codes = np.array(MOTIVES, dtype=object)
    for number, shown in enumerate(SETS, start=1):
        value = motives[:, shown] * 1.3 + rng.gumbel(size=(n, len(shown)))
        skipped = rng.random(n) < MISSING
        best, worst = np.array(shown)[value.argmax(axis=1)], np.array(shown)[value.argmin(axis=1)]
        answers[f"m{number}_best"] = np.where(skipped, None, codes[best])
        answers[f"m{number}_worst"] = np.where(skipped, None, codes[worst])
    return answers, straight


def _comments(rng: np.random.Generator, people: pd.DataFrame) -> np.ndarray:
    """Write a comment for a quarter, half of them of somebody else's type, some with personal data."""
    n = len(people)
    kind = np.where(rng.random(n) < 0.5, people["type"], rng.integers(len(_COMMENTS), size=n))
    pick, says, private, which = rng.random(n), rng.random(n) < 0.25, rng.random(n) < 0.06, rng.integers(3, size=n)
    texts = np.full(n, None, dtype=object)
    mails, phones = people["email"].to_numpy(dtype=object), people["mobile"].to_numpy(dtype=object, na_value=None)
    first, last = people["first_name"].to_numpy(dtype=object), people["last_name"].to_numpy(dtype=object)
    for i in np.flatnonzero(says):
        choices = _COMMENTS[kind[i]].split("|")
        texts[i] = choices[int(pick[i] * len(choices))]
        if private[i]:
            phone = phones[i] or "der bekannten Nummer"
            texts[i] += (
                f" Rufen Sie mich an: {phone}",
                f" Antwort an {mails[i]}",
                f" Viele Grüße, {first[i]} {last[i]}",
            )[which[i]]
    return texts
