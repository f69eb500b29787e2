"""Personas: what a type is like, in sentences that each carry a number, on a poster and on one sheet.

`survey_members` or `segment_members` say who they are made of, `Members.findings` what may be said, `personas` writes
the documents, `sheet`, `poster`, `matrix` and `comparison` show them.
"""

from waage.personas.feedback import comment_words, read_comments, read_feedback
from waage.personas.findings import Rules, findings, power, recompute
from waage.personas.members import (
    Members,
    against_truth,
    basis,
    catalogue_of,
    consenting,
    heard,
    histories,
    names_of,
    segment_members,
    survey_members,
)
from waage.personas.persona import Persona, idle_labels, personas, sizes_by_type
from waage.personas.poster import css, page, pdf, poster
from waage.personas.quotes import quotes, reviewed
from waage.personas.recognise import recognise
from waage.personas.report import (
    chapter,
    evidence_table,
    folded,
    posters,
    power_finding,
    print_if_possible,
    read_stored,
    stored,
    undecided,
    values_by_type,
)
from waage.personas.sheet import colours, comparison, divides, matrix, sheet
from waage.personas.timeline import timeline

__all__ = [
    "Members",
    "Persona",
    "Rules",
    "against_truth",
    "basis",
    "catalogue_of",
    "chapter",
    "colours",
    "comment_words",
    "comparison",
    "consenting",
    "css",
    "divides",
    "evidence_table",
    "findings",
    "folded",
    "heard",
    "histories",
    "idle_labels",
    "matrix",
    "names_of",
    "page",
    "pdf",
    "personas",
    "poster",
    "posters",
    "power",
    "power_finding",
    "print_if_possible",
    "quotes",
    "read_comments",
    "read_feedback",
    "read_stored",
    "recognise",
    "recompute",
    "reviewed",
    "segment_members",
    "sheet",
    "sizes_by_type",
    "stored",
    "survey_members",
    "timeline",
    "undecided",
    "values_by_type",
]
