"""The one exception users see, and the hint that goes with a misspelt word."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches


class WaageError(Exception):
    """Something the user can put right; its text says what, where, the value and the way out."""


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the closest option, or an empty string.

    Parameters
    ----------
    word : str
        What was written.
    options : iterable of str
        What would have been understood.
    """
    close = get_close_matches(str(word), [str(option) for option in options], n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


class Told(str):
    """A sentence in English that knows itself in German."""

    german: str

    def __new__(cls, english: str, german: str) -> "Told":
        """Return the English sentence, with the German one beside it."""
        text = super().__new__(cls, english)
        text.german = german
        return text


def told(text: str, language: str = "en") -> str:
    """Return a sentence in a language; one that does not know its German stays English."""
    return getattr(text, "german", str(text)) if language == "de" else str(text)


class Refusal(WaageError):
    """The data cannot carry what is asked of them: too few customers, too short a history. Not a fault."""


@dataclass(frozen=True)
class Refused:
    """A result that the data could not carry; false in a condition, so that a notebook can say the reason and go on."""

    reason: str

    def __bool__(self) -> bool:
        return False


def unless_refused(function: Callable, *args: object, **kwargs: object):
    """Return what the function returns, or a `Refused` with the reason where it raises a `Refusal`."""
    try:
        return function(*args, **kwargs)
    except Refusal as refusal:
        return Refused(refusal.args[0])
