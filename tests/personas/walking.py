"""Every finding of a study, worked out again from its tables."""

import pandas as pd
import pytest

from waage import personas, typology
from waage.privacy import may_profile
from waage.study import Study


def members_of(study: Study):
    """Who the personas of a study are made of, from its tables: types where it keeps any, else segments."""
    c = study.config
    tables = {name: study.read(name) for name in typology.TABLES if study.has(name)}
    consents = study.read("person_consents") if study.has("person_consents") else None
    tables["persons"] = may_profile(tables["persons"], consents)
    if study.kept("types") is None:
        levels = typology.all_levels(tables, c.as_of)
        behaviour = typology.person_behaviour(tables, c.as_of, *levels, c.time_zone)
        return personas.segment_members(tables["rfm"], behaviour, c.min_cell)
    stored = study.kept("types")
    types = typology.reopen(stored, tables, c.as_of, time_zone=c.time_zone, min_cell=c.min_cell_survey)
    survey, sample = types.survey, types.survey.sample
    asked = (personas.heard(survey.persons, consents), c.as_of)
    feedback = personas.read_feedback(tables, *asked, survey.asked["instrument"], c.time_zone)
    comments, names = personas.read_comments(tables, *asked, c.time_zone), personas.names_of(tables["persons"])
    feedback += personas.comment_words(comments, names, least=c.min_cell_survey)
    return personas.survey_members(
        types.posterior,
        types.weights,
        types.names,
        answers=sample.answers.loc[sample.active.index],
        items=sample.items,
        active=sample.active,
        behaviour=survey.behaviour,
        feedback=feedback,
        persons=survey.persons,
        net_revenue=survey.outcomes.net_revenue,
        customers=survey.base.persons,
    )


def walk(members, table: pd.DataFrame) -> int:
    """Recompute every finding that is shown; returns how many there are."""
    people = pd.DataFrame(members.posterior, members.variables.index, members.names).assign(weight=members.weights)
    tables = {"members": people, "responses": members.variables, "behaviour": members.variables}
    shown = table[table["n"].notna()]
    for row in shown.to_dict("records"):
        again = personas.recompute(row, tables)
        for name in ("type_value", "base_value", "n"):
            assert row[name] == pytest.approx(again[name], rel=1e-6, abs=1e-9), (row["id"], name)
        if pd.notna(row["index"]):
            assert row["index"] == pytest.approx(again["index"], rel=1e-6), row["id"]
    return len(shown)
