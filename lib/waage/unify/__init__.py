"""Customer file: who is who across the sources, what each person agreed to, and how far that can be trusted."""

from waage.unify.channel_plots import plot_faces, plot_funnel, plot_login, plot_mix, plot_overlap, plot_unknown
from waage.unify.channels import (
    GUEST_SOURCES,
    channel_mix,
    face_shares,
    faces,
    login_share,
    record_steps,
    source_overlap,
    source_sizes,
)
from waage.unify.consents import consent_status, person_consents
from waage.unify.decisions import read_decisions
from waage.unify.findings import (
    blocked_values,
    first_finding,
    last_changes,
    review_finding,
    truth_finding,
    unbooked_returns,
    unification_report,
    unlinked_rows,
    view_through_finding,
)
from waage.unify.gather import events_of_persons, gather, unlinked
from waage.unify.golden import golden_records
from waage.unify.households import households
from waage.unify.normalise import normalise
from waage.unify.quality import (
    cluster_sizes,
    contradictions,
    examples,
    link_error,
    mask,
    unlinkables,
    weight_histogram,
)
from waage.unify.quality_plots import plot_rules, plot_sensitivity, plot_weights
from waage.unify.rerun import known_pairs, sensitivity
from waage.unify.resolve import Resolution, Settings, State, resolve
from waage.unify.review import read_review
from waage.unify.state import state_from, state_parts
from waage.unify.truth import by_rule, by_source_pair, errors, pair_scores, recall_by_evidence
from waage.unify.view_through import plot_view_through, view_through, view_through_curve

__all__ = [
    "GUEST_SOURCES",
    "Resolution",
    "Settings",
    "State",
    "blocked_values",
    "by_rule",
    "by_source_pair",
    "channel_mix",
    "cluster_sizes",
    "consent_status",
    "contradictions",
    "errors",
    "events_of_persons",
    "examples",
    "face_shares",
    "faces",
    "first_finding",
    "gather",
    "golden_records",
    "households",
    "known_pairs",
    "last_changes",
    "link_error",
    "login_share",
    "mask",
    "normalise",
    "pair_scores",
    "person_consents",
    "plot_faces",
    "plot_funnel",
    "plot_login",
    "plot_mix",
    "plot_overlap",
    "plot_rules",
    "plot_sensitivity",
    "plot_unknown",
    "plot_view_through",
    "plot_weights",
    "read_decisions",
    "read_review",
    "recall_by_evidence",
    "record_steps",
    "resolve",
    "review_finding",
    "sensitivity",
    "source_overlap",
    "source_sizes",
    "state_from",
    "state_parts",
    "truth_finding",
    "unbooked_returns",
    "unification_report",
    "unlinkables",
    "unlinked",
    "unlinked_rows",
    "view_through",
    "view_through_curve",
    "view_through_finding",
    "weight_histogram",
]
