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
from waage.unify.gather import events_of_persons, gather, unlinked
from waage.unify.golden import golden_records
from waage.unify.normalise import normalise
from waage.unify.resolve import Resolution, Settings, State, resolve
from waage.unify.review import read_review
from waage.unify.state import state_from, state_parts
from waage.unify.view_through import plot_view_through, plot_view_through_curve, view_through, view_through_curve

__all__ = [
    "GUEST_SOURCES",
    "Resolution",
    "Settings",
    "State",
    "channel_mix",
    "consent_status",
    "events_of_persons",
    "face_shares",
    "faces",
    "gather",
    "golden_records",
    "login_share",
    "normalise",
    "person_consents",
    "plot_faces",
    "plot_funnel",
    "plot_login",
    "plot_mix",
    "plot_overlap",
    "plot_unknown",
    "plot_view_through",
    "plot_view_through_curve",
    "read_decisions",
    "read_review",
    "record_steps",
    "resolve",
    "source_overlap",
    "source_sizes",
    "state_from",
    "state_parts",
    "unlinked",
    "view_through",
    "view_through_curve",
]
