"""The picture of a persona: a ring of its strongest motives, drawn from the data; no face, one style for all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import escape

from waage import style

# Own drawings on a grid of 24, stroked; a motive's construct or, failing that, a word of its label finds its own.
ICONS = {
    "price": "M3 12V4h8l10 10-8 8zM7.5 8.5h.01",
    "inspiration": "M9 18h6M10 21h4M12 3a6 6 0 0 0-3.6 10.8c.7.6 1.1 1.3 1.1 2.2h5c0-.9.4-1.6 1.1-2.2A6 6 0 0 0 12 3",
    "speed": "M13 2 5 13.5h6L10 22l9-12.5h-6.5z",
    "quality": "M12 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8.5 13.8 7 22l5-3 5 3-1.5-8.2",
    "family": "M4 11l8-7 8 7v9H4z"
    "M12 17.5s-3.4-2-3.4-4.2a1.8 1.8 0 0 1 3.4-.8 1.8 1.8 0 0 1 3.4.8c0 2.2-3.4 4.2-3.4 4.2z",
    "advice": "M4 5h16v11h-9l-4 4v-4H4zM8 9h8M8 12h5",
    "convenience": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8 12.2l2.8 2.8 5.2-6",
    "store": "M4 10v10h16V10M5 4h14l2 6H3zM10 20v-6h4v6",
    "online": "M4 5h16v11H4zM2.5 20h19",
    "generic": "M12 3l2.5 6.5L21 12l-6.5 2.5L12 21l-2.5-6.5L3 12l6.5-2.5z",
}
_WORDS = {
    "price": "price preis cheap günstig saving spar discount rabatt coupon gutschein offer angebot deal",
    "inspiration": "inspir idea ideen discover entdeck trend look new neu explor stöber",
    "speed": "speed fast quick schnell zeit time hurry eil express",
    "quality": "qualit durab haltbar material premium brand marke sustain nachhaltig",
    "family": "famil kind child household haushalt gift geschenk",
    "advice": "advice advis berat service staff personal help hilfe",
    "convenience": "convenien bequem ease easy einfach unkompliziert comfort return rückgabe retour",
    "store": "store filiale laden shop-floor",
    "online": "online app web internet mobil digital",
}
_WIDE, _CENTRE, _HOLE, _SCALE, _CAP = 360, 138, 34, 0.32, 220
_FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def figure(
    motives: Sequence[Mapping],
    title: str,
    *,
    language: str = "en",
    colour: str = style.ACCENT,
    legend: bool = True,
    most: int = 5,
) -> str:
    """Draw the ring of a persona's strongest motives as SVG; the same motives give the same bytes.

    Parameters
    ----------
    motives : sequence of mapping
        label, index (100 = all customers) and, for numeric ones without an index, difference (in standard deviations
        of all customers; one reaches as far as index 200, a judgement). Optionally construct or variable, which finds
        the icon. Entries with neither number are left out; the strongest `most` are drawn, as
        far as index 220; those under 100 only where fewer than three are over it.
    title : str
        Of the persona, for those who hear the page.
    language : str
    colour : str
        Of bars over 100; those under 100 are grey.
    legend : bool
        Whether labels and numbers stand below the ring; without them it is a square emblem.
    most : int

    Returns
    -------
    str
        One ``<svg>`` element; every text in it is escaped.
    """
    german = language == "de"
    known = [(_reach(motive), _capital(str(motive["label"])), motive) for motive in motives]
    known = sorted((entry for entry in known if entry[0] is not None), key=lambda entry: (-entry[0], entry[1]))
    over = [entry for entry in known if entry[0] >= 100]
    drawn = (over if len(over) > 2 else known)[:most]
    shown = [_Motive(reach, label, _number(motive, german), _key(motive)) for reach, label, motive in drawn]
    below, low = _legend(shown, colour, german) if legend and shown else ([], 0)
    rim = math.ceil(_HOLE + _CAP * _SCALE)
    box = f"{-_WIDE // 2} {-_CENTRE} {_WIDE} {2 * _CENTRE + low}" if legend else f"{-rim} {-rim} {2 * rim} {2 * rim}"
    told = "; ".join(f"{motive.label}: {motive.number}" for motive in shown)
    told = told or ("kein Motiv sticht heraus" if german else "no motive stands out")
    heading = f"{'Motive' if german else 'Motives'}: {title}"
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" '
            f'aria-label="{escape(heading)}. {escape(told)}" font-family="{_FONT}">',
            f"<title>{escape(heading)}</title><desc>{escape(told)}</desc>",
            *_bars(shown, colour, icons=legend),
            f'<circle r="{_HOLE + 100 * _SCALE:.1f}" fill="none" stroke="#fff" stroke-width="1.6"/>',
            f'<circle r="{_HOLE + 100 * _SCALE:.1f}" fill="none" stroke="{style.MUTED}" stroke-dasharray="2 3"/>',
            _icon(shown[0].icon if shown else "generic", 0, 0, 40 if legend else 46, colour if shown else style.MUTED),
            *below,
            "</svg>",
        ]
    )


@dataclass(frozen=True)
class _Motive:
    reach: float
    label: str
    number: str
    icon: str


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _reach(motive: Mapping) -> float | None:
    """Return how far out a motive stands, on the scale of an index."""
    for name, start, scale in (("index", 0, 1), ("difference", 100, 100)):
        value = motive.get(name)
        if value is not None and value == value:
            return max(start + scale * float(value), 0)
    return None


def _number(motive: Mapping, german: bool) -> str:
    index = motive.get("index")
    if index is not None and index == index:
        return f"Index {style.number(index, 'de')}" if german else f"index {style.number(index)}"
    value = style.number(motive["difference"], "de" if german else "en", 1)
    return f"{value if value[0] == '−' else '+' + value} {'Std.-Abw.' if german else 'SD'}"


def _bars(shown: list[_Motive], colour: str, icons: bool) -> list[str]:
    """Return a sector for each motive and its icon in a disc at the rim, clockwise from the top."""
    parts = []
    step = 2 * math.pi / max(len(shown), 3)
    for i, motive in enumerate(shown):
        angle, half = i * step - math.pi / 2, min(step * 0.36, 0.42)
        parts.append(_sector(angle, half, _CAP, "#eef1f3"))
        parts.append(_sector(angle, half, min(motive.reach, _CAP), colour if motive.reach >= 100 else "#aeb7bd"))
        if not icons:
            continue
        at = _HOLE + _CAP * _SCALE + 18
        x, y = at * math.cos(angle), at * math.sin(angle)
        parts.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="15" fill="#fff" stroke="#dfe4e8"/>')
        parts.append(_icon(motive.icon, x, y, 18, style.INK))
    return parts


def _sector(angle: float, half: float, index: float, fill: str) -> str:
    far = _HOLE + index * _SCALE
    arcs = [(far, angle - half), (far, angle + half), (_HOLE, angle + half), (_HOLE, angle - half)]
    a, b, c, d = (f"{radius * math.cos(turn):.2f} {radius * math.sin(turn):.2f}" for radius, turn in arcs)
    return f'<path d="M{a}A{far:.2f} {far:.2f} 0 0 1 {b}L{c}A{_HOLE} {_HOLE} 0 0 0 {d}z" fill="{fill}"/>'


def _legend(shown: list[_Motive], colour: str, german: bool) -> tuple[list[str], float]:
    """Return labels and numbers below the ring, in two columns where labels are short, and the height they take."""
    words = [word for motive in shown for word in motive.label.split()]
    columns = 2 if max(len(motive.label) for motive in shown) <= 34 and max(map(len, words)) <= 14 else 1
    note = "gestrichelt: alle Kund:innen = 100" if german else "dashed: all customers = 100"
    top = _CENTRE
    middle = f'x="0" y="{top + 16}" text-anchor="middle" font-size="11"'
    parts = [f'<text {middle} fill="{style.MUTED}">{note}</text>']
    top += 38
    for first in range(0, len(shown), columns):
        tall = 0
        for column, motive in enumerate(shown[first : first + columns]):
            x = 4 - _WIDE / 2 + column * _WIDE / columns
            lines = wrap(motive.label, _WIDE / columns - 44, 13)
            parts.append(_icon(motive.icon, x + 11, top + 9, 20, colour if motive.reach >= 100 else style.MUTED))
            places = [f'x="{x + 30:g}" dy="{16 if i else 0}"' for i in range(len(lines))]
            spans = [f"<tspan {place}>{escape(line)}</tspan>" for place, line in zip(places, lines, strict=True)]
            spans.append(f'<tspan x="{x + 30:g}" dy="15" font-size="11.5" fill="{style.MUTED}">{motive.number}</tspan>')
            parts.append(f'<text y="{top + 9}" font-size="13" fill="{style.INK}">{"".join(spans)}</text>')
            tall = max(tall, 16 * len(lines) + 24)
        top += tall
    return parts, top - _CENTRE


def wrap(text: str, width: float, size: float, most: int = 3) -> list[str]:
    """Break a label into lines of at most `width`, wide fonts included; what does not fit ends in "…"."""
    letters = max(int(width / (0.64 * size)), 2)
    lines = [""]
    for word in text.split():
        while word:
            gap = " " if lines[-1] else ""
            if len(lines[-1] + gap + word) <= letters:
                lines[-1] += gap + word
                break
            if lines[-1] and len(word) <= letters:
                lines.append("")
            elif not lines[-1]:
                lines[-1], word = word[: letters - 1] + "-", word[letters - 1 :]
                lines.append("")
            else:
                lines.append("")
    lines = [line for line in lines if line] or [""]
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][: letters - 1].rstrip(" -") + "…"]


def _icon(key: str, x: float, y: float, size: float, colour: str) -> str:
    half, scale = size / 2, size / 24
    return (
        f'<path transform="translate({x - half:.2f} {y - half:.2f}) scale({scale:.3f})" d="{ICONS[key]}" fill="none" '
        f'stroke="{colour}" stroke-width="{1.7 if size < 30 else 1.3}" stroke-linecap="round" stroke-linejoin="round"/>'
    )


def _key(motive: Mapping) -> str:
    """Return which icon goes with a motive."""
    said = " ".join(str(motive.get(name) or "") for name in ("construct", "variable", "label")).lower()
    places = {key: [said.find(word) for word in words.split() if word in said] for key, words in _WORDS.items()}
    return min((key for key in places if places[key]), key=lambda key: min(places[key]), default="generic")
