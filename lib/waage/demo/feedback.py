"""Feedback at touchpoints: stars, reasons and comments in German and English, some with personal data in them."""

import numpy as np
import pandas as pd

from waage.demo.experience import experience
from waage.demo.files import Files
from waage.demo.performance import BURN_IN, REFERENCE
from waage.demo.world import Settings, stream

TOPICS = ("delivery", "price", "search", "returns", "staff", "app")
# Touchpoint: share of feedback, response rate, log odds of a bad experience, weights of the topics above.
TOUCHPOINTS: dict[str, tuple[float, float, float, tuple[float, ...]]] = {
    "checkout": (0.26, 0.06, -1.7, (1, 4, 3, 0.3, 0.3, 2)),
    "delivery": (0.30, 0.11, -1.3, (9, 0.7, 0.2, 0.6, 1, 0.3)),
    "return": (0.11, 0.09, -0.9, (1.5, 0.7, 0.2, 9, 1, 0.3)),
    "service": (0.10, 0.17, -0.9, (2, 0.7, 0.3, 1.5, 7, 0.4)),
    "search": (0.09, 0.03, -1.1, (0.3, 1.5, 9, 0.2, 0.2, 1)),
    "store": (0.14, 0.05, -1.9, (0.3, 3, 1, 1, 8, 0.5)),
}
_GIVEN = 0.13  # of what a person orders, how much is followed by feedback
_STARS_BAD, _STARS_GOOD = (0.48, 0.20, 0.16, 0.09, 0.07), (0.01, 0.02, 0.09, 0.25, 0.63)

# Praise, then criticism; {n} is a small number.
_WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "de": {
        "delivery": (
            "Lieferung kam schon nach {n} Tagen.|Sehr schnelle Lieferung, gut verpackt.|Paket war pünktlich da.|"
            "Der Bote war freundlich und hat bis an die Tür geliefert.|Versand wie versprochen, gerne wieder.",
            "Die Lieferung hat {n} Wochen gedauert.|Paket war beschädigt und halb offen.|"
            "Dreimal verschoben, niemand sagt Bescheid.|Paket beim Nachbarn abgegeben ohne Nachricht.|"
            "Sendungsverfolgung stimmt nicht, ich habe umsonst gewartet.",
        ),
        "price": (
            "Preis-Leistung stimmt.|Tolles Angebot, {n}0 Euro gespart.|Günstiger als woanders.|"
            "Der Gutschein hat geklappt.|Faire Preise.",
            "Viel zu teuer geworden.|Gutschein wurde nicht angenommen.|Versandkosten sind eine Frechheit.|"
            "Zwei Tage später war es {n}0 Euro billiger.|Preis im Warenkorb anders als auf der Seite.",
        ),
        "search": (
            "Alles sofort gefunden.|Die Suche ist sehr hilfreich.|Gute Filter, große Auswahl.|Übersichtliche Seite.|"
            "Größentabelle hat gepasst.",
            "Suche findet nichts Passendes.|Filter funktionieren nicht.|Artikel angezeigt, aber nicht lieferbar.|"
            "Man scrollt sich tot, keine Sortierung.|Die Größenangaben stimmen hinten und vorne nicht.",
        ),
        "returns": (
            "Rücksendung war ganz einfach.|Geld nach {n} Tagen zurück.|Umtausch ohne Probleme.|"
            "Retourenschein lag bei, prima.|Rückgabe in der Filiale ging schnell.",
            "Warte seit {n} Wochen auf mein Geld.|Retoure angeblich nie angekommen.|Kein Retourenschein im Paket.|"
            "Umtausch wurde abgelehnt.|Rückgabe viel zu umständlich.",
        ),
        "staff": (
            "Sehr freundliche Beratung.|Am Telefon wurde mir sofort geholfen.|Kompetentes Personal.|"
            "Der Kundenservice war super.|Man nimmt sich Zeit für einen.",
            "Hotline: {n}0 Minuten Warteschleife.|Unfreundlich und keine Ahnung.|Niemand fühlt sich zuständig.|"
            "Auf meine E-Mail kam nie eine Antwort.|Nur Textbausteine statt Hilfe.",
        ),
        "app": (
            "Die App läuft super.|Bestellen mit der App geht ganz schnell.|Die neue App ist übersichtlich.|"
            "Merkliste in der App ist praktisch.|Scannen im Laden klappt gut.",
            "App stürzt ständig ab.|Muss mich in der App jedes Mal neu anmelden.|Seit dem Update geht nichts mehr.|"
            "App ist langsam, {n} Versuche bis zur Kasse.|Zahlung in der App bricht ab.",
        ),
    },
    "en": {
        "delivery": (
            "Arrived after only {n} days.|Fast delivery, well packed.|Parcel came right on time.",
            "Delivery took {n} weeks.|Parcel was damaged.|Rescheduled three times and nobody told me.",
        ),
        "price": (
            "Good value for money.|Great deal, saved {n}0 euros.|Fair prices.",
            "Far too expensive now.|Voucher was not accepted.|Shipping costs are a joke.",
        ),
        "search": (
            "Found everything at once.|Good filters, large choice.|Clear website.",
            "Search finds nothing useful.|Filters do not work.|Shown as available, but it was not.",
        ),
        "returns": (
            "Returning was easy.|Money back after {n} days.|Exchange without any trouble.",
            "Waiting for my refund for {n} weeks.|They say my return never arrived.|Returns are too complicated.",
        ),
        "staff": (
            "Very friendly advice.|Support helped me right away.|Competent staff.",
            "{n}0 minutes on hold.|Rude and no idea.|Nobody ever answered my e-mail.",
        ),
        "app": (
            "The app works great.|Ordering in the app is really quick.|The new app is clear.",
            "App keeps crashing.|I have to log in every single time.|Since the update nothing works.",
        ),
    },
}
_PHRASES = {
    (language, topic, good): texts.split("|")
    for language, topics in _WORDS.items()
    for topic, pair in topics.items()
    for good, texts in zip((True, False), pair, strict=True)
}
_PERSONAL = {
    "de": {
        "phone": "Bitte rufen Sie mich an: {}",
        "email": "Antwort bitte an {}",
        "name": "Viele Grüße, {}",
        "staff_name": "Es ging um {} aus dem Service.",
    },
    "en": {
        "phone": "Please call me: {}",
        "email": "Please answer to {}",
        "name": "Kind regards, {}",
        "staff_name": "I spoke to {} from support.",
    },
}
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


def write_feedback(settings: Settings, chunk: int, people: pd.DataFrame, out: Files) -> None:
    """Write the feedback of one chunk of persons, the invitations behind it, and who said what in truth.

    feedback: feedback_id, touchpoint, given_at, language, stars, reasons (topics joined by "|"), comment (up to 300
    characters), web_id (of those who were logged in).
    """
    rng = stream(settings.seed, "feedback", chunk)
    days = 7 * settings.weeks
    first, last = people["acquired"].clip(0, days).to_numpy(), people["lapse_day"].clip(0, days).to_numpy()
    span = np.maximum(last - first, 0)
    count = rng.poisson(_GIVEN * people["rate"].to_numpy() * span / 365.25)
    who = np.repeat(np.arange(len(people)), count)
    day = first[who] + np.floor(rng.random(len(who)) * span[who]).astype(int)
    order = np.argsort(day, kind="stable")
    who, day = who[order], day[order]
    given = people.iloc[who]

    shares, rates, bad_odds, weights = zip(*TOUCHPOINTS.values(), strict=True)
    place = rng.choice(len(shares), len(who), p=shares)
    mood = rng.normal(0, 0.8, len(people))[who]
    bad = rng.random(len(who)) < _bad_share(settings, mood, day, np.array(bad_odds)[place])
    stars = 1 + np.where(bad, rng.choice(5, len(who), p=_STARS_BAD), rng.choice(5, len(who), p=_STARS_GOOD))
    mistaken = rng.random(len(who)) < 0.012  # who reads stars as school marks, 1 being best
    shown = np.where(mistaken, 6 - stars, stars)

    topics = _topics(rng, np.array(weights)[place])
    has_comment = rng.random(len(who)) < np.where(stars <= 2, 0.62, 0.34)
    personal = np.where(rng.random(len(who)) < 0.05, rng.choice(list(_PERSONAL["de"]), len(who)), "")
    comments, personal = _comments(rng, given, stars, topics, has_comment, personal)
    seconds = (3600 * (7 + 16 * rng.beta(2.5, 2, len(who)))).astype(int)
    when = pd.Timestamp(settings.first_day) + pd.to_timedelta(86400 * day + seconds, "s")
    touchpoint = np.array(list(TOUCHPOINTS))[place]
    logged_in = rng.random(len(who)) < 0.6
    frame = pd.DataFrame(
        {
            "feedback_id": [f"F{chunk:03d}{row:06d}" for row in range(len(who))],
            "touchpoint": touchpoint,
            "given_at": when.strftime("%Y-%m-%d %H:%M:%S"),
            "language": given["language"].to_numpy(),
            "stars": shown,
            "reasons": ["|".join(TOPICS[topic] for topic in sorted(row[row >= 0])) for row in topics],
            "comment": comments,
            "web_id": given["web_id"].where(logged_in).to_numpy(),
        }
    )
    out.csv("feedback", frame)
    out.csv("feedback_invitations", _invitations(rng, settings, day, place, np.array(rates)))
    truth = pd.DataFrame({"feedback_id": frame["feedback_id"], "person_id": given["person_id"].to_numpy()})
    out.truth("feedback", truth.assign(bad=bad, mistaken=mistaken, personal=personal))


def _bad_share(settings: Settings, mood: np.ndarray, day: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """Return the chance of a bad experience: by touchpoint, person, and the shop's experience of the week."""
    week = experience(settings).ix[:, BURN_IN:].mean(axis=0)
    return 1 / (1 + np.exp(-(odds + mood - 0.06 * (week[day // 7] - REFERENCE))))


def _topics(rng: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    """Draw one to three different topics, the first the main one; -1 is none."""
    draws = np.argsort(-(np.log(weights) + rng.gumbel(size=weights.shape)), axis=1)[:, :3]
    number = rng.choice([1, 2, 3], len(weights), p=[0.62, 0.28, 0.10])
    return np.where(np.arange(3) < number[:, None], draws, -1)


def _comments(
    rng: np.random.Generator,
    given: pd.DataFrame,
    stars: np.ndarray,
    topics: np.ndarray,
    has_comment: np.ndarray,
    personal: np.ndarray,
) -> tuple[list[str | None], np.ndarray]:
    """Return the comments, and which kind of personal data each really holds."""
    draw = rng.random((len(stars), 5))
    number = rng.integers(2, 8, len(stars))
    surnames = rng.permutation(given["last_name"].to_numpy())
    columns = given[["language", "mobile", "email", "first_name", "last_name"]].to_numpy()
    comments: list[str | None] = []
    held = np.full(len(stars), "", dtype=object)
    for row, (language, mobile, email, first_name, last_name) in enumerate(columns):
        if not has_comment[row]:
            comments.append(None)
            continue
        words = []
        for place, topic in enumerate(topics[row, :2]):
            if topic < 0:
                continue
            # The second topic may go against the stars, as it does in real comments.
            good = stars[row] > 3 if place == 0 else draw[row, 2] < (0.1, 0.25, 0.5, 0.6, 0.85)[stars[row] - 1]
            if place == 0 and stars[row] == 3:
                good = draw[row, 3] < 0.4
            phrases = _PHRASES[language, TOPICS[topic], bool(good)]
            words.append(phrases[int(draw[row, place] * len(phrases))].replace("{n}", str(number[row])))
        text = " ".join(words)
        if draw[row, 4] < 0.10:
            text = text.lower()
        elif draw[row, 4] < 0.17:
            text = text.translate(_UMLAUTS)
        elif draw[row, 4] < 0.22:
            text = text.rstrip(".") + "!!!"
        kind = personal[row]
        title = "Frau" if language == "de" else "Ms"
        values = {"phone": mobile, "email": email, "name": f"{first_name} {last_name}"}
        values["staff_name"] = f"{title} {surnames[row]}"
        if kind and values[kind]:
            text = f"{text} {_PERSONAL[language][kind].format(values[kind])}"
            held[row] = kind
        comments.append(text[:300])
    return comments, held


def _invitations(
    rng: np.random.Generator, settings: Settings, day: np.ndarray, place: np.ndarray, rates: np.ndarray
) -> pd.DataFrame:
    """Return day, touchpoint, invited and completed of this chunk; days without an invitation have no row."""
    completed = np.zeros((7 * settings.weeks, len(rates)), dtype=int)
    np.add.at(completed, (day, place), 1)
    usual = completed.mean(axis=0)
    # Half of the expected number follows the day's answers, half the touchpoint's usual.
    invited = completed + rng.poisson((completed + usual) / 2 * (1 / rates - 1))
    at, touchpoint = np.nonzero(invited)
    days = pd.date_range(settings.first_day, periods=7 * settings.weeks, freq="D").strftime("%Y-%m-%d")
    return pd.DataFrame(
        {
            "day": days[at],
            "touchpoint": np.array(list(TOUCHPOINTS))[touchpoint],
            "invited": invited[at, touchpoint],
            "completed": completed[at, touchpoint],
        }
    )
