"""Who the personas are made of: respondents with their types, or customers with their segments, and what is known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage import style
from waage.errors import Refusal
from waage.personas.feedback import Feedback
from waage.personas.findings import Rules, findings, power
from waage.personas.persona import sizes_by_type
from waage.personas.phrases import WORDS
from waage.personas.topics import catalogue, orders_per_year, survey_variables
from waage.profiles import profile_cells

#: Customers that segments are described by, at most; more sharpen nothing that is shown (judgement).
MOST_CUSTOMERS = 20_000


@dataclass(frozen=True)
class Members:
    """Persons, how far each belongs to each type, and their variables.

    Attributes
    ----------
    kind : str
        types or segments.
    names : tuple of str
        Keys of the K types.
    posterior, weights : arrays, shape (n, K), (n,)
    variables : DataFrame, n rows
    sources : dict
        Table each variable comes from.
    active : tuple of str
        Variables the types were made from.
    items : DataFrame or None
        Codebook of the survey and of the feedback.
    net_revenue : Series, index as `variables`
    customers : float
        Persons all of these stand for.
    refit : callable or None
        See `findings`.
    """

    kind: str
    names: tuple[str, ...]
    posterior: np.ndarray
    weights: np.ndarray
    variables: pd.DataFrame
    sources: dict[str, str]
    active: tuple[str, ...]
    items: pd.DataFrame | None
    net_revenue: pd.Series
    customers: float
    refit: Callable[[np.ndarray], np.ndarray] | None

    @property
    def known(self) -> pd.DataFrame:
        """What is known of each variable, see `catalogue`."""
        return catalogue(list(self.variables), self.items)

    def sizes(self, min_cell: int, money: bool = True) -> pd.DataFrame:
        """Return each type's share of customers and, with `money`, of net revenue, with ranges."""
        revenue = self.net_revenue if money else None
        return sizes_by_type(
            self.posterior, self.weights, self.names, revenue, customers=self.customers, min_cell=min_cell
        )

    def findings(self, rules: Rules, as_of: date, min_cell: int, min_cell_survey: int, seed: int) -> pd.DataFrame:
        """Return all findings, with what the catalogue says of their variables beside them."""
        table = findings(
            self.posterior,
            self.weights,
            self.variables,
            self.names,
            active=self.active,
            sources=self.sources,
            as_of=as_of,
            rules=rules,
            min_cell=min_cell,
            min_cell_survey=min_cell_survey,
            refit=self.refit,
            seed=seed,
        )
        return table.join(self.known, on="variable")


def against_truth(
    members: Members, table: pd.DataFrame, true: pd.Series, rules: Rules | None = None, language: str = "en"
) -> str:
    """Return, for a simulated study, what the same answers say where everybody's true type is known, as a sentence.

    Parameters
    ----------
    members : Members
    table : DataFrame
        Their findings.
    true : Series, index among that of `members.variables`
        True type by the names of the found ones.
    rules : Rules, optional
        Those of the findings.
    language : str
        en or de.

    Notes
    -----
    Large is a share whose true index passes the rules and which this sample would tell with a probability of .9
    (`power`); false is what is said with another sign than the truth has. The truth is that of these respondents:
    their sampling error is in both.
    """
    rules, seen = rules or Rules(), members.variables.index.isin(true.index)
    kind = true.loc[members.variables.index[seen]].to_numpy()
    certain = (kind[:, None] == np.array(members.names)).astype(float)
    frame = members.variables[seen]
    frame = frame.loc[:, frame.notna().any()]
    key = ["type", "variable", "level"]
    real = profile_cells(certain, members.weights[seen], frame, members.names).set_index(key)
    real = real.reindex(pd.MultiIndex.from_frame(table[key])).set_index(table.index)
    likely = power(table, pd.Series(real["value"].to_numpy(), table["id"]), rules) >= 0.9
    large = ((real["index"] > rules.over) | (real["index"] < rules.under)) & likely & (table["kind"] != "numeric")
    said = table["strength"] != "silent"
    false = said & (np.sign(table["difference"]) != np.sign(real["difference"]))
    counts = {"large": large.sum(), "found": (large & said).sum(), "said": said.sum(), "false": false.sum()}
    counts = {name: style.number(count, language) for name, count in counts.items()}
    return WORDS["against_truth"][language == "de"].format(**counts)


def catalogue_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the catalogue that `Members.findings` put beside the findings."""
    names = ["topic", "form", "construct", "label_en", "label_de"]
    return table.drop_duplicates("variable").set_index("variable")[names].fillna({"construct": ""})


def survey_members(
    posterior: np.ndarray,
    weights: np.ndarray,
    names: Sequence[str],
    *,
    answers: pd.DataFrame,
    items: pd.DataFrame,
    active: pd.DataFrame,
    behaviour: pd.DataFrame,
    feedback: Feedback,
    persons: pd.Series,
    net_revenue: pd.Series,
    customers: float,
    refit: Callable[[np.ndarray], np.ndarray] | None = None,
    least: int = 30,
) -> Members:
    """Return respondents as members of types.

    Parameters
    ----------
    posterior, weights, names
        Of the typology; rows as `answers`.
    answers : DataFrame, index response_id
        Items as answered.
    items : DataFrame, index item
        Codebook.
    active : DataFrame, index as `answers`
        What the types were found by; its best-worst scores become variables.
    behaviour : DataFrame, index response_id
        Of respondents in the customer file.
    feedback : Feedback
        As `read_feedback` and `comment_words` return, added.
    persons : Series, index response_id
        person_id of respondents in the customer file.
    net_revenue : Series, index as `answers`
    customers : float
        Persons the weighted sample stands for.
    refit : callable, optional
        From row numbers to the posterior of types found anew in them.
    least : int
        `min_cell_survey`: what fewer answered is left out.
    """
    told = survey_variables(answers, items)
    scores = active[[name for name in active if name.startswith("maxdiff_")]]
    done = _with_rhythm(behaviour).reindex(answers.index)
    said = feedback.variables.reindex(persons.to_numpy()).set_axis(persons.index).reindex(answers.index)
    parts = {"responses": [told, scores, said], "behaviour": [done]}
    frame = pd.concat([part for group in parts.values() for part in group], axis=1)
    # The survey goes before what another table calls the same; and what few answered would be hidden anyway.
    frame = frame.loc[:, ~frame.columns.duplicated()]
    frame = frame[[name for name in frame if frame[name].nunique() > 1 and frame[name].notna().sum() >= least]]
    items = pd.concat([items, feedback.items[~feedback.items.index.isin(items.index)]])
    own = {name: table for table, group in reversed(parts.items()) for part in group for name in part}
    return Members(
        kind="types",
        names=tuple(names),
        posterior=posterior,
        weights=weights,
        variables=frame,
        sources={name: own[name] for name in frame},
        active=tuple(name for name in frame if name in active.columns or name in scores),
        items=items,
        net_revenue=net_revenue.reindex(answers.index),
        customers=customers,
        refit=refit,
    )


def segment_members(rfm: ir.Table, behaviour: ir.Table, min_cell: int = 10, most: int = MOST_CUSTOMERS) -> Members:
    """Return customers as members of their RFM segments, where a study has no types.

    Parameters
    ----------
    rfm : ibis table
        person_id, segment, monetary; leads, whose segment is NULL, are left out.
    behaviour : ibis table
        person_id and numbers.
    min_cell : int
        Smaller segments are left out.
    most : int
        Customers looked at: those whose hashed id comes first, whatever the order of the rows.

    Raises
    ------
    Refusal
        If fewer than two segments are left.
    """
    known = rfm.filter(rfm.segment.notnull())
    known = known.select("person_id", "segment", net_revenue=known.monetary.cast("float64"))
    picked = known.order_by(known.person_id.hash(), known.person_id).limit(most)
    found = picked.inner_join(behaviour, "person_id").to_pyarrow().to_pandas().sort_values("person_id")
    sizes = found.segment.value_counts()
    found = found[found.segment.isin(sizes.index[sizes >= min_cell])].set_index("person_id")
    customers = int(known.filter(known.segment.isin(list(found.segment.unique()))).count().execute())
    names = sorted(found.segment.unique(), key=lambda name: (-sizes[name], name))
    if len(names) < 2:
        raise Refusal(f"fewer than two segments have {min_cell} customers: there is nobody to describe")
    frame = _with_rhythm(found.drop(columns=["segment", "net_revenue"]))
    frame = frame[[name for name in frame if frame[name].nunique() > 1]]
    return Members(
        kind="segments",
        names=tuple(names),
        posterior=(found.segment.to_numpy()[:, None] == np.array(names)).astype(float),
        weights=np.ones(len(found)),
        variables=frame,
        sources=dict.fromkeys(frame, "behaviour"),
        active=(),
        items=None,
        net_revenue=found.net_revenue,
        customers=customers,
        refit=None,
    )


def consenting(person_consents: "ir.Table | None") -> set[str]:
    """Return persons who granted the use of their survey answers and nowhere took it back; nobody without consents."""
    if person_consents is None:
        return set()
    acts = person_consents.filter(person_consents.purpose == "survey").select("person_id", "status").execute()
    refused = set(acts.person_id[acts.status != "granted"])
    return set(acts.person_id[acts.status == "granted"]) - refused


def heard(persons: pd.Series, person_consents: "ir.Table | None") -> pd.Series:
    """Return the respondents whose comments and feedback may be counted: all who have not refused or taken it back.

    Parameters
    ----------
    persons : Series of person_id
    person_consents : ibis table or None
        A refusal of the purpose `survey` on any channel counts.
    """
    if person_consents is None:
        return persons
    acts = person_consents.filter((person_consents.purpose == "survey") & (person_consents.status != "granted"))
    return persons[~persons.isin(acts.select("person_id").execute().person_id)]


def names_of(persons: ir.Table) -> "pd.DataFrame | None":
    """Return person_id, first_name, last_name for taking names out of comments; None where no names are known."""
    names = [name for name in ("first_name", "last_name") if name in persons.columns]
    return (
        persons.select("person_id", *names).execute().reindex(columns=["person_id", "first_name", "last_name"])
        if names
        else None
    )


def histories(
    persons: pd.Series, behaviour: ir.Table, orders: ir.Table, as_of: date, lines: ir.Table | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return behaviour (index person_id) and orders of some persons until a day, for `timeline`.

    Orders are person_id, day, channel, revenue and, with `lines` (order_lines), the category of most revenue.
    """
    asked = list(persons)
    done = behaviour.filter(behaviour.person_id.isin(asked)).to_pyarrow().to_pandas().set_index("person_id")
    known = orders.filter(orders.person_id.isin(asked) & orders.counts & (orders.day <= as_of))
    columns = {"revenue": known.revenue.cast("float64")}
    bought = known.select("person_id", "day", "channel", "source", "order_id", **columns).execute()
    if lines is not None:
        parts = lines.semi_join(known, ["source", "order_id"]).group_by("source", "order_id", "category")
        parts = parts.agg(spent=lines.revenue.sum().cast("float64")).execute().dropna(subset=["category"])
        parts = parts.sort_values(["spent", "category"], ascending=[False, True], kind="stable")
        main = parts.drop_duplicates(["source", "order_id"]).drop(columns="spent")
        bought = bought.merge(main, on=["source", "order_id"], how="left")
    bought = bought.drop(columns=["source", "order_id"])
    return done.sort_index(), bought.sort_values(["person_id", "day", "revenue"], ignore_index=True)


def _with_rhythm(behaviour: pd.DataFrame) -> pd.DataFrame:
    if not {"frequency", "tenure_days"} <= set(behaviour):
        return behaviour
    return behaviour.assign(orders_per_year=orders_per_year(behaviour["frequency"], behaviour["tenure_days"]))


def basis(members: Members, **said: Any) -> dict[str, Any]:
    """Return what posters say of the data: kind, respondents, and whatever else is passed on."""
    n = len(members.variables)
    if members.kind == "types":
        return {"kind": "types", "respondents": n, **said}
    return {"kind": "segments", "customers": n, "of": round(members.customers), **said}
