"""What a system writes down of a person: old addresses, other mailboxes, umlauts, typing errors, junk."""

import numpy as np
import pandas as pd

TYPO = {"first_name": 0.035, "last_name": 0.05, "street": 0.05, "email": 0.02, "phone": 0.03}
"""Share of a field's values with one typing error; names and address together reach 5 to 8 % of records."""

JUNK_EMAILS = ("info@kasse.example", "kasse@filiale.example", "noreply@shop.example", "keine@mail.example")
JUNK_PHONES = ("000000", "0123456789", "999999999")
JUNK = 0.006  # share of e-mails, and of phones, that are a shared dummy

_UMLAUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_BARE = str.maketrans("äöüßÄÖÜéşıóć", "aousAOUesioc")


def observe(
    rng: np.random.Generator,
    people: pd.DataFrame,
    day: np.ndarray,
    *,
    email: float = 1.0,
    phone: float = 0.5,
    name: float = 1.0,
    address: float = 1.0,
    birth: float = 0.0,
    other: float = 0.5,
    junk: float = 1.0,
    typos: float = 1.0,
) -> pd.DataFrame:
    """Return one noisy record for each row of `people` as known on `day` (days since the first day).

    Parameters
    ----------
    people : DataFrame
        Rows of the people frame; a person may come several times.
    day : array of int
        Decides between the address and name before and after a move and a wedding.
    email, phone, name, address, birth : float
        Share of records (0 to 1) that have the field.
    other : float
        How often (0 to 1) who has a second mailbox gives it.
    junk : float
        Factor on the share of dummy values.
    typos : float
        Factor on the shares of TYPO: a form filled in by hand has more of them.

    Returns
    -------
    DataFrame
        first_name, last_name, email, phone, street (with number), postcode, city (None where missing), birth_date.
    """
    n = len(people)

    def text(column: str) -> np.ndarray:
        return people[column].to_numpy(dtype=object, na_value=None)

    def some(share: float | np.ndarray) -> np.ndarray:
        return rng.random(n) < share

    def present(values: np.ndarray, share: float) -> np.ndarray:
        return np.where(some(share), values, None)

    first = text("first_name").copy()
    last = np.where(day < people["renamed"].to_numpy(float), text("old_last_name"), text("last_name"))
    away = day < people["moved"].to_numpy(float)
    place = {c: np.where(away, text(f"old_{c}"), text(c)) for c in ("street", "house_no", "postcode", "city")}
    mail = np.where(some(other) & people["email2"].notna().to_numpy(), text("email2"), text("email"))
    mail = np.where(some(0.25) & people["family_email"].notna().to_numpy(), text("family_email"), mail)
    landline = text("landline")
    call = np.where(some(0.20) & pd.notna(landline) | pd.isna(text("mobile")), landline, text("mobile"))

    _change(first, some(0.05), lambda s: s[0] + ".")
    _change(first, some(0.10), lambda s: s.split("-")[0])
    street = place["street"]
    _change(street, some(0.38), lambda s: s.replace("straße", "str.").replace("Straße", "Str."))
    spelt = some(0.17)
    for values in (first, last, street, place["city"]):
        _change(values, spelt, lambda s: s.translate(_UMLAUT))
        _change(values, some(0.06), lambda s: s.translate(_BARE))
    for values, column in ((first, "first_name"), (last, "last_name"), (street, "street"), (mail, "email")):
        _mistype(rng, values, some(typos * TYPO[column]))
    _mistype(rng, call, some(typos * TYPO["phone"]), keep=4)
    _mistype(rng, place["postcode"], some(0.008), keep=2)
    swapped = some(0.006)
    first[swapped], last[swapped] = last[swapped], first[swapped].copy()
    case = some(0.06)
    for values in (first, last):
        _change(values, case, str.lower)
        _change(values, some(0.02), str.upper)
    _change(call, some(0.25), lambda s: "+49" + s[1:])
    _change(call, some(0.20), lambda s: f"{s[:4]} {s[4:]}" if s[0] == "0" else f"{s[:3]} {s[3:6]} {s[6:]}")
    _change(call, some(0.05), lambda s: f"{s[:4]}/{s[4:]}" if s[0] == "0" and " " not in s else s)

    born = people["birth_date"].to_numpy("M8[D]").copy()
    parts = pd.DatetimeIndex(born)
    turned = some(0.015) & (parts.day.to_numpy() <= 12)
    january = born.astype("M8[Y]").astype("M8[D]")
    born = np.where(turned, _turned(parts), born)
    born = np.where(some(0.01), january, born)
    return pd.DataFrame(
        {
            "first_name": (named := present(first, name)),
            "last_name": np.where(pd.isna(named), None, last),
            "email": np.where(some(JUNK * junk), rng.choice(JUNK_EMAILS, n), present(mail, email)),
            "phone": np.where(some(JUNK * junk * (phone > 0)), rng.choice(JUNK_PHONES, n), present(call, phone)),
            "street": (placed := present(street + " " + place["house_no"], address)),
            "postcode": np.where(pd.isna(placed), None, place["postcode"]),
            "city": np.where(pd.isna(placed), None, place["city"]),
            "birth_date": np.where(some(birth), born, np.datetime64("NaT")),
        }
    ).astype({c: object for c in ("first_name", "last_name", "email", "phone", "street", "postcode", "city")})


def _change(values: np.ndarray, where: np.ndarray, how: object) -> None:
    for i in np.flatnonzero(where):
        if values[i]:
            values[i] = how(values[i])


def _mistype(rng: np.random.Generator, values: np.ndarray, where: np.ndarray, keep: int = 1) -> None:
    """Swap, drop or double one character, beyond the first `keep`; digits are swapped or replaced, mail names too."""
    rows = np.flatnonzero(where)
    kind, at = rng.integers(3, size=len(rows)), rng.random(len(rows))
    for row, what, share in zip(rows, kind, at, strict=True):
        text = values[row]
        if not text or len(text) < keep + 3:
            continue
        end = text.find("@") if "@" in text else len(text)
        i = keep + int(share * (end - keep - 1)) if end > keep + 1 else keep
        if (text[i : i + 2].isdigit() and text[i] != text[i + 1] and what == 0) or (what == 1 and not text.isdigit()):
            values[row] = text[:i] + text[i : i + 2][::-1] + text[i + 2 :]
        elif text.isdigit():
            values[row] = text[:i] + str((int(text[i]) + 1 + int(share * 8)) % 10) + text[i + 1 :]
        else:
            values[row] = text[:i] + text[i + 1 :] if what == 0 else text[:i] + text[i] + text[i:]


def _turned(days: pd.DatetimeIndex) -> np.ndarray:
    """Return the dates with day and month exchanged, where that is a date (day at most 12)."""
    month = np.minimum(days.day.to_numpy(), 12)
    first = (days.year.to_numpy() - 1970).astype("M8[Y]").astype("M8[M]") + (month - 1)
    return first.astype("M8[D]") + (days.month.to_numpy() - 1)
