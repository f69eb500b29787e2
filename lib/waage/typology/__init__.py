"""Types of customers: found in a survey, told by behaviour, and given to every customer.

`read_survey` brings answers and CRM together, `find_types` finds latent classes and trains the typing tool,
`type_customers` types everybody. Each step can be used by itself: `prepare_sample`, `choose_k`, `fit_classes`,
`profile_types`, `outcomes_by_type`, `behaviour`, `fit_typing`, `assign`.
"""

from waage.typology.assignment import assign, drift, expected_shares
from waage.typology.behaviour import behaviour
from waage.typology.chapters import (
    chapter,
    choice_tables,
    customers_tables,
    outcomes_parts,
    plot_typing,
    quality_tables,
    sample_table,
    type_pictures,
    types_table,
)
from waage.typology.choice import choose_k
from waage.typology.classes import Classes, fit_classes
from waage.typology.customers import type_customers, typing_report, with_probability
from waage.typology.findings import conformal_finding, customers_finding, field_words, first_finding, origin, warnings
from waage.typology.outcomes import outcomes_by_type
from waage.typology.plots import plot_types
from waage.typology.profiles import profile_types
from waage.typology.sample import prepare_sample
from waage.typology.survey import TABLES, all_levels, person_behaviour, read_survey
from waage.typology.truth import against_truth, true_types
from waage.typology.types import find_types, kept_model, remember, reopen
from waage.typology.typing import fit_typing
from waage.typology.typing_model import TypingModel

__all__ = [
    "TABLES",
    "Classes",
    "TypingModel",
    "against_truth",
    "all_levels",
    "assign",
    "behaviour",
    "chapter",
    "choice_tables",
    "choose_k",
    "conformal_finding",
    "customers_finding",
    "customers_tables",
    "drift",
    "expected_shares",
    "field_words",
    "find_types",
    "first_finding",
    "fit_classes",
    "fit_typing",
    "kept_model",
    "origin",
    "outcomes_by_type",
    "outcomes_parts",
    "person_behaviour",
    "plot_types",
    "plot_typing",
    "prepare_sample",
    "profile_types",
    "quality_tables",
    "read_survey",
    "remember",
    "reopen",
    "sample_table",
    "true_types",
    "type_customers",
    "type_pictures",
    "types_table",
    "typing_report",
    "warnings",
    "with_probability",
]
