"""The one exception users see, and the hint that goes with a misspelt word."""

from collections.abc import Iterable
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


class Refusal(WaageError):
    """The data cannot carry what is asked of them: too few customers, too short a history. Not a fault."""
