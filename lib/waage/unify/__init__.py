"""Customer file: who is who across the sources, and what each person agreed to."""

from waage.unify.consents import person_consents
from waage.unify.coverage import coverage, plot_coverage, unlinked
from waage.unify.persons import identity_map, persons

__all__ = ["coverage", "identity_map", "person_consents", "persons", "plot_coverage", "unlinked"]
