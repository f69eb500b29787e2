"""A simulated study's types against the known truth."""

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from waage import style
from waage.errors import Refused
from waage.typology.chapters import chapter, table_for_reading, worded
from waage.typology.customers import TypedCustomers
from waage.typology.findings import survey_shares
from waage.typology.types import Types


def against_truth(
    types: Types,
    typed: "TypedCustomers | Refused",
    identity_map: ir.Table,
    identities: ir.Table,
    persons: ir.Table,
    language: str = "en",
) -> tuple:
    """Return, for a simulated study, how well types were found: chapter, sentence, and sizes beside the true ones.

    Parameters
    ----------
    types, typed
    identity_map, identities : ibis tables
        source, source_id, person_id: as found, and the truth.
    persons : ibis table
        True person_id and type.
    language : str
    """
    truth = _true_types(identity_map, identities, persons)
    known = truth.select("person_id", "true_type").to_pyarrow().to_pandas().set_index("person_id").true_type
    mine, label = _respondents(types, known)
    named = _matched(label, mine)
    ari = style.number(adjusted_rand_score(label, mine), language, 2)
    right = style.percent((label.map(named) == mine).mean(), language)
    said = worded("truth", language).format(k=len(types.names), true=known.nunique(), right=right, ari=ari)
    shares = survey_shares(types)[["type", "share", "share_low", "share_high"]]
    table = shares.rename(columns={name: f"survey_{name}" for name in shares.columns if name != "type"})
    table["true_type"] = [style.title(named.get(name, ""), language) for name in table.type]
    if typed:
        columns = [f"p_{i + 1}" for i in range(len(types.names))]
        both = typed.table.inner_join(truth.select("person_id", "true_type"), "person_id")
        both = both.select("person_id", "type", "true_type", *columns).to_pyarrow().to_pandas()
        true_share = both.true_type.value_counts(normalize=True)
        table["share"] = both[columns].mean().to_numpy()
        table["true_share"] = [true_share.get(named.get(name), np.nan) for name in table.type]
        right = both.type.map(named) == both.true_type
        with_orders = both.person_id.isin(typed.history.to_pyarrow().to_pandas().person_id)
        words = {"all": right.mean(), "known": right[with_orders].mean()}
        words |= {"denoised": types.typing.headline["denoised_accuracy"]}
        words = {name: style.percent(share, language) for name, share in words.items()}
        said += worded("truth_customers", language).format(**words)
    table["type"] = [style.title(name, language) for name in table.type]
    shown = table_for_reading(table, language, survey_share="share", share="share", true_share="share")
    return chapter("truth", language), style.say(said), shown


def true_types(types: Types, identity_map: ir.Table, identities: ir.Table, persons: ir.Table) -> pd.Series:
    """Return each respondent's true type, by the name of the found type that holds most of it.

    Parameters
    ----------
    types, identity_map, identities, persons
        See `against_truth`.

    Returns
    -------
    Series, index response_id
        Only respondents whose true type is known and was found.
    """
    known = _true_types(identity_map, identities, persons).select("person_id", "true_type")
    mine, label = _respondents(types, known.to_pyarrow().to_pandas().set_index("person_id").true_type)
    found = {true: name for name, true in _matched(label, mine).items()}
    return mine.map(found).dropna()


def _true_types(identity_map: ir.Table, identities: ir.Table, persons: ir.Table) -> ir.Table:
    real = identities.select("source", "source_id", true_id="person_id")
    pairs = identity_map.select("source", "source_id", "person_id").inner_join(real, ["source", "source_id"])
    pairs = pairs.group_by("person_id").agg(true_id=pairs.true_id.min())
    return pairs.inner_join(persons.select(true_id="person_id", true_type="type"), "true_id")


def _respondents(types: Types, known: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return true and found type of the respondents whose true type is known, by response_id."""
    people = types.survey.persons
    mine = pd.Series(known.reindex(people.to_numpy()).to_numpy(), people.index)
    label = types.posterior[types.survey.positions].argmax(axis=1)
    found = pd.Series(np.array(types.names)[label], people.index)
    return mine.dropna(), found[mine.notna()]


def _matched(label: pd.Series, mine: pd.Series) -> dict[str, str]:
    """Return the true type behind each found one, so that as many respondents as possible agree."""
    cells = pd.crosstab(label.to_numpy(), mine.to_numpy())
    found, real = linear_sum_assignment(-cells.to_numpy())
    return {cells.index[i]: cells.columns[j] for i, j in zip(found, real, strict=True)}
