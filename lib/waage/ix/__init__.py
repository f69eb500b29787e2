"""The IX score, and what a point of it is worth in visits and demand."""

from waage.ix.checks import Checks, grade_words, run_checks
from waage.ix.display import audit, boxes, r_indicator, smooth
from waage.ix.drivers import Drivers, accounting, asymmetry, importance_map, item_drivers
from waage.ix.guards import (
    Admission,
    LinkRefusal,
    admit,
    merge_units,
    questionnaire_break,
    response_break,
    response_rate,
)
from waage.ix.link import Link, link
from waage.ix.linkage import Linkage, link_experience
from waage.ix.measurement import (
    TABLES,
    Measurement,
    conversion_audit,
    measure,
    net_share,
    shop_line,
    weekly_performance,
)
from waage.ix.panel import OUTCOMES, Panel, build_panel, merge_weeks, performance_from
from waage.ix.plan import Plan, ix_plan, questionnaire, questionnaire_items, questionnaire_text
from waage.ix.rivals import IncidentIV, ShopSeries, estimators, experiments, incident_iv, shop_series, split_half
from waage.ix.robustness import Robustness, robustness, robustness_value
from waage.ix.scales import GroupScores, group_scores, ix_by_group
from waage.ix.score import IxWeights, Scores, codebook, respondent_scores, respondents, score
from waage.ix.validity import validity
from waage.ix.value import Value, move_between, points_needed, value_points, what_if

__all__ = [
    "OUTCOMES",
    "TABLES",
    "Admission",
    "Checks",
    "Drivers",
    "GroupScores",
    "IncidentIV",
    "IxWeights",
    "Link",
    "LinkRefusal",
    "Linkage",
    "Measurement",
    "Panel",
    "Plan",
    "Robustness",
    "Scores",
    "ShopSeries",
    "Value",
    "accounting",
    "admit",
    "asymmetry",
    "audit",
    "boxes",
    "build_panel",
    "codebook",
    "conversion_audit",
    "estimators",
    "experiments",
    "grade_words",
    "group_scores",
    "importance_map",
    "incident_iv",
    "item_drivers",
    "ix_by_group",
    "ix_plan",
    "link",
    "link_experience",
    "measure",
    "merge_units",
    "merge_weeks",
    "move_between",
    "net_share",
    "performance_from",
    "points_needed",
    "questionnaire",
    "questionnaire_break",
    "questionnaire_items",
    "questionnaire_text",
    "r_indicator",
    "respondent_scores",
    "respondents",
    "response_break",
    "response_rate",
    "robustness",
    "robustness_value",
    "run_checks",
    "score",
    "shop_line",
    "shop_series",
    "smooth",
    "split_half",
    "validity",
    "value_points",
    "weekly_performance",
    "what_if",
]
