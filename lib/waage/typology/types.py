"""From a survey to types: found once, kept, and used until somebody asks for new ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from joblib.externals.loky import get_reusable_executor

from waage.errors import Refusal, Refused, WaageError, unless_refused
from waage.typology.behaviour import blocks
from waage.typology.choice import Choice, choose_k
from waage.typology.class_model import Classes
from waage.typology.classes import fit_classes
from waage.typology.comparators import Agreement, compare_kmeans
from waage.typology.outcomes import Outcomes, outcomes_by_type
from waage.typology.profiles import Profiles, profile_types
from waage.typology.sample import MOST_TYPES
from waage.typology.survey import Survey, read_survey
from waage.typology.typing import Typing, fit_typing, usefulness

_KEPT = 6  # models of earlier reference days that are remembered (judgement: a year of changes every two months)
_NESTED_STARTS = 20
_RESAMPLES = 200


@dataclass(frozen=True)
class Types:
    """Types of a survey and the tool that finds them in behaviour.

    Attributes
    ----------
    survey : Survey
    choice : Choice
    posterior : ndarray, shape (n, K)
        Probability of each type for each row of `survey.sample.active`. Research data.
    typing : Typing or Refused
        Refused where too few respondents of a type have a history.
    as_of : date
        Day on which the model was fitted.
    fitted_on : int
        Respondents it was fitted on.
    fresh : bool
        Whether it was fitted in this run.
    min_cell : int
        `min_cell_survey`.
    settings : dict
        What the model depends on; another setting is another model.
    changed : tuple of str
        Settings that made types be found anew although nobody asked for it.
    seed : int
    """

    survey: Survey
    choice: Choice
    posterior: np.ndarray
    typing: Typing | Refused
    as_of: date
    fitted_on: int
    fresh: bool
    min_cell: int
    settings: Mapping[str, Any]
    changed: tuple[str, ...]
    seed: int

    @property
    def names(self) -> tuple[str, ...]:
        """Keys of the types, in the order of the posterior's columns; they last from fit to fit."""
        return type_names(self.choice.classes)

    @property
    def weights(self) -> np.ndarray:
        """Survey weights of the respondents, shape (n,), mean 1."""
        return self.survey.weights.weights

    @cached_property
    def profiles(self) -> Profiles:
        """Answers and behaviour by type."""
        told = self.survey.variables
        passive = [name for name in told if name not in self.choice.classes.items]
        given = (self.posterior, self.weights, told, self.names)
        found = unless_refused(profile_types, *given, corrected=passive, min_cell=self.min_cell)
        return found or profile_types(*given, min_cell=self.min_cell)

    @cached_property
    def outcomes(self) -> "Outcomes | Refused":
        """Orders, revenue and satisfaction by type, with the uncertainty of the types in the intervals."""
        refit = self.choice.classes.refitted(self.survey.sample.active, self.weights)
        return unless_refused(
            outcomes_by_type,
            self.posterior,
            self.weights,
            self.survey.outcomes,
            self.names,
            refit=refit,
            resamples=_RESAMPLES,
            seed=self.seed,
            min_cell=self.min_cell,
        )

    @cached_property
    def agreement(self) -> Agreement:
        """How far k-means on factor axes finds the same groups."""
        sample = self.survey.sample
        return compare_kmeans(sample.active, self._kinds, self.choice.classes, weights=self.weights, seed=self.seed)

    @cached_property
    def residuals(self) -> pd.DataFrame:
        """Pairs of items that go together more than the types explain, see `Classes.bivariate_residuals`."""
        return self.choice.classes.bivariate_residuals(self.survey.sample.active, self.weights)

    @property
    def _kinds(self) -> dict[str, str]:
        return {item: self.survey.sample.kinds[item] for item in self.choice.classes.items}

    def warnings(self, language: str = "en") -> list[str]:
        """Return what a reader must know before believing in the types; empty if there is nothing."""
        return [*self.choice.warnings(language), *self.survey.sample.warnings(language)]

    def to_dict(self) -> dict[str, Any]:
        """Return the models as JSON can hold them: numbers, no respondent."""
        typing = {"refused": self.typing.reason} if isinstance(self.typing, Refused) else self.typing.to_dict()
        survey = {"channels": list(self.survey.channels), "categories": list(self.survey.categories)}
        plain = {"as_of": str(self.as_of), "fitted_on": self.fitted_on, "settings": dict(self.settings)}
        return plain | survey | {"choice": self.choice.to_dict(), "typing": typing}


def type_names(classes: Classes) -> tuple[str, ...]:
    """Return the keys of a model's types: type_ and the lasting number."""
    return tuple(f"type_{number}" for number in classes.ids)


def remember(stored: Mapping[str, Any] | None, types: Types) -> dict[str, Any]:
    """Return what `find_types` is to find next time: models of earlier days and this one, as JSON can hold them."""
    own = types.to_dict()
    others = [entry for entry in (stored or {}).get("types", []) if entry["as_of"] != own["as_of"]]
    return {"types": sorted([*others, own], key=lambda entry: entry["as_of"])[-_KEPT:]}


def kept_model(stored: Mapping[str, Any] | None, as_of: date) -> dict[str, Any] | None:
    """Return the newest kept entry that was fitted on the day or before it; None where there is none."""
    known = [entry for entry in (stored or {}).get("types", []) if entry["as_of"] <= str(as_of)]
    return max(known, key=lambda entry: entry["as_of"], default=None)


def find_types(
    survey: Survey,
    as_of: date,
    *,
    stored: Mapping[str, Any] | None = None,
    refit: bool = False,
    k: int | None = None,
    most: int = 8,
    n_init: int = 50,
    n_bootstrap: int = 25,
    min_cell: int = 30,
    seed: int = 0,
    n_jobs: int | None = None,
) -> Types:
    """Return the types of a survey: those kept from an earlier run, or found anew.

    A kept model holds until `refit` is asked for or a setting changes (items, their kinds, number of types, starts,
    seed): reports of different nights then speak of the same types, and new respondents are sorted into them. A model
    of a later day is never used for an earlier one. What is found anew takes over the ids of the model before it,
    type by type.

    Parameters
    ----------
    survey : Survey
    as_of : date
    stored : mapping, optional
        What `remember` returned in an earlier run.
    refit : bool
    k : int, optional
        Number of types; the data choose if left out.
    most : int
        Largest number of types tried; fewer where the sample carries fewer.
    n_init, n_bootstrap : int
        See `choose_k`.
    min_cell : int
        `min_cell_survey`.
    seed : int
    n_jobs : int, optional

    Raises
    ------
    Refusal
        If the sample does not carry the number of types asked for, or none.
    """
    sample = survey.sample
    ks = [number for number in sample.ks if number <= most]
    if (k and not 2 <= k <= MOST_TYPES) or not 2 <= most <= MOST_TYPES:
        raise WaageError(
            f"n_types = {k or 0}, most_types = {most}: types are 2 to {MOST_TYPES} (n_types 0: the data choose)"
        )
    if k and k not in sample.ks:
        raise Refusal(
            f"{sample.n} respondents carry {sample.ks[0]} to {sample.ks[-1]} types, not {k or most}: "
            "ask more people, or set n_types to fewer"
        )
    settings = {"kinds": dict(sample.kinds), "scales": sample.style, "k": k or 0, "most": most, "seed": seed}
    settings |= {"asked": survey.asked}
    settings |= {"n_init": n_init, "n_bootstrap": n_bootstrap}
    entry = kept_model(stored, as_of)
    if entry and not refit and entry["settings"] == settings:
        return _kept(entry, survey, min_cell, seed)
    choice = choose_k(
        sample.active,
        sample.kinds,
        weights=survey.weights.weights,
        ks=ks,
        k=k,
        n_init=n_init,
        n_bootstrap=n_bootstrap,
        seed=seed,
        n_jobs=n_jobs,
    )
    get_reusable_executor().shutdown(wait=True)  # idle workers would be told as leaks when the kernel ends
    if entry:
        choice = _same_ids(choice, Classes.from_dict(entry["choice"]["model"]))
    choice = choice.with_usefulness(_usefulness(survey, choice, seed))
    typing = unless_refused(_fit_typing, survey, choice.classes, as_of, n_init, min_cell, seed)
    return Types(
        survey=survey,
        choice=choice,
        posterior=choice.classes.posterior,
        typing=typing,
        as_of=as_of,
        fitted_on=sample.n,
        fresh=True,
        min_cell=min_cell,
        settings=settings,
        changed=()
        if refit or not entry
        else tuple(name for name in settings if entry["settings"].get(name) != settings[name]),
        seed=seed,
    )


def reopen(
    stored: Mapping[str, Any] | None,
    tables: Mapping[str, ir.Table],
    as_of: date,
    *,
    time_zone: str = "UTC",
    min_cell: int = 30,
    seed: int = 0,
) -> Types:
    """Return the types that notebook 02 keeps, with the survey they are told by, for notebooks that come after it.

    Raises
    ------
    Refusal
        If there are none that were found on the day or before, or the survey can no longer be read.
    """
    entry = kept_model(stored, as_of)
    if entry is None:
        raise Refusal("the study keeps no types: notebook 02 finds them where there is a survey")
    if "asked" not in entry["settings"]:
        raise Refusal("the types that the study keeps are of an older version: run notebook 02 again")
    survey = read_survey(tables, as_of, time_zone=time_zone, **entry["settings"]["asked"])
    return _kept(entry, survey, min_cell, seed)


def _kept(entry: Mapping[str, Any], survey: Survey, min_cell: int, seed: int) -> Types:
    choice = Choice.from_dict(entry["choice"])
    told = entry["typing"]
    # Customers are typed by the shares that the model learned, whatever is sold today.
    survey = replace(survey, channels=tuple(entry["channels"]), categories=tuple(entry["categories"]))
    typing = Refused(told["refused"]) if "refused" in told else Typing.from_dict(told)
    return Types(
        survey=survey,
        choice=choice,
        posterior=choice.classes.predict(survey.sample.active),
        typing=typing,
        as_of=date.fromisoformat(entry["as_of"]),
        fitted_on=entry["fitted_on"],
        fresh=False,
        min_cell=min_cell,
        settings=entry["settings"],
        changed=(),
        seed=seed,
    )


def _same_ids(choice: Choice, earlier: Classes) -> Choice:
    """Give the classes that hold the ids of those before them, where the two models share an item."""
    mine = choice.classes
    if not {*mine.items} & {*earlier.items}:
        return choice
    named = mine.matched(earlier)
    # Both hold the same classes in two orders, told apart by their respondents' probabilities.
    where = [(named.posterior == own[:, None]).all(axis=0).argmax() for own in mine.posterior.T]
    ids = {number: named.ids[place] for number, place in zip(mine.ids, where, strict=True)}
    held = choice.segments.k == choice.k
    types = choice.segments.type.where(~held, choice.segments.type.map(ids)).astype(int)
    segments = choice.segments.assign(type=types)
    return choice.with_model(named, segments)


def _usefulness(survey: Survey, choice: Choice, seed: int) -> dict[int, float]:
    """Return the macro-F1 of a typing tool for each number of types that was looked at closely."""
    X, rows = survey.behaviour, survey.positions
    lives = X["frequency"].fillna(0).to_numpy() > 0 if "frequency" in X else np.ones(len(X), dtype=bool)
    X, rows = X[lives].set_axis(survey.persons[lives].to_numpy()), rows[lives]
    found = {}
    for k in choice.table.k[choice.table.verdict.notna()]:
        P = choice.models[k].posterior[rows]
        if np.bincount(P.argmax(axis=1), minlength=k).min() >= 9:
            found[k] = usefulness(X, P, survey.weights.weights[rows], seed=seed)["macro_f1"]
    return found


def _fit_typing(survey: Survey, classes: Classes, as_of: date, n_init: int, min_cell: int, seed: int) -> Typing:
    if not len(survey.behaviour.columns):
        raise Refusal("typing: the respondents' behaviour does not differ in anything that is known of them")
    X, rows, weights = survey.behaviour, survey.positions, survey.weights.weights
    sample, everybody = survey.sample, np.arange(survey.sample.n)
    unlinked = np.setdiff1d(everybody, rows)

    def label(train: np.ndarray):
        # Who is not in the customer file helps to find types, and is typed nowhere.
        mine = np.concatenate([rows[train], unlinked])
        kinds = {item: sample.kinds[item] for item in classes.items}
        active = sample.active.iloc[mine]
        kinds = {item: kind for item, kind in kinds.items() if active[item].nunique() > 1}
        starts = min(n_init, _NESTED_STARTS)
        again = fit_classes(active, kinds, classes.k, weights=weights[mine], n_init=starts, n_final=3, seed=seed)
        again = again.matched(classes)
        again = again.in_order([again.ids.index(number) for number in classes.ids])
        return lambda held: again.predict(sample.active.iloc[rows[held]])

    return fit_typing(
        X.set_axis(survey.persons.to_numpy()),
        classes.posterior[rows],
        weights[rows],
        blocks(X.columns),
        types=type_names(classes),
        seed=seed,
        channel=None if survey.acquisition is None else _texts(survey.acquisition),
        refit=label,
        as_of=str(as_of),
        min_cell=min_cell,
    )


def _texts(column: pd.Series) -> Sequence[str | None]:
    return [None if pd.isna(value) else value for value in column]
