"""Respondents held against the customer base: what CRM knows of both, so that answers can be weighted to it."""

from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir
import pandas as pd

from waage.errors import Refusal
from waage.weighting import Weights, rake

#: Ages (years) at which a group begins; the last is open.
AGES = (0, 30, 40, 50, 60, 70)
UNKNOWN = "unknown"
#: Orders at which a group begins; the last is open.
ORDERS = (0, 1, 2, 3, 6)
#: A base of which fewer have a counterpart among the respondents is not theirs (judgement).
LEAST_HEARD = 0.5
_TRAITS = ("stage", "age", "channel", "orders", "revenue")


@dataclass(frozen=True)
class Base:
    """Traits of the customer base and of the respondents.

    Attributes
    ----------
    margins : dict
        Trait (stage, age, channel, orders, revenue) to level to its share among the persons of the base that somebody
        stands for. Levels with under 1 % of the base are joined to "other".
    unheard : DataFrame
        trait, level, share: levels of the base that no respondent has; the weights cannot speak for them.
    respondents : DataFrame, index response_id
        The traits; missing for respondents who are not in the customer file.
    persons : int
        Persons in the base.
    """

    margins: dict[str, dict[str, float]]
    unheard: pd.DataFrame
    respondents: pd.DataFrame
    persons: int

    def weigh(self, start: pd.Series | None = None, trim: float = 5.0) -> Weights:
        """Rake the respondents to the base, see `waage.weighting.rake`."""
        return rake(self.respondents, self.margins, start=start, trim=trim)


def customer_base(
    rfm: ir.Table, orders: ir.Table, persons: ir.Table, respondents: pd.Series, as_of: date, *, smallest: float = 0.01
) -> Base:
    """Read lifecycle stage, age, main channel, orders and revenue of everybody, and of those who answered.

    Who buys much answers more often; lifecycle alone does not hold that, so the numbers of orders and quarters of
    revenue are margins, too.

    Parameters
    ----------
    rfm : ibis table
        person_id, lifecycle, frequency, monetary: who the base is.
    orders : ibis table
        `customer_orders` as known on the day; a person's channel is the one of most orders that count, of equal ones
        the first by name, "none" without orders.
    persons : ibis table
        person_id and, where known, birth_date.
    respondents : Series, index response_id
        person_id, missing where a respondent is not in the customer file.
    as_of : date
    smallest : float
        Levels with a smaller share of the base are joined to "other".

    Raises
    ------
    Refusal
        If no respondent is in the base, or they stand for less than half of it.
    """
    bought = orders.filter(orders.person_id.notnull() & orders.counts)
    counted = bought.group_by("person_id", "channel").agg(n=bought.count())
    place = ibis.row_number().over(ibis.window(group_by="person_id", order_by=[ibis.desc("n"), ibis.asc("channel")]))
    main = counted.mutate(place=place).filter(ibis._.place == 0).select("person_id", "channel")
    people = _bands(rfm).left_join(main, "person_id").drop("person_id_right")
    if "birth_date" in persons.columns:
        born = persons.select("person_id", "birth_date")
        people = people.left_join(born, "person_id").drop("person_id_right")
        years = (ibis.literal(as_of).delta(people.birth_date, unit="day") / 365.25).floor()
        groups = [(years >= low, f"{low}+" if low == AGES[-1] else f"{low}-{high - 1}")
                  for low, high in zip(reversed(AGES), (0, *reversed(AGES)), strict=False)]  # fmt: skip
        people = people.mutate(age=ibis.cases((people.birth_date.isnull(), UNKNOWN), *groups, else_=UNKNOWN))
    else:
        people = people.mutate(age=ibis.literal(UNKNOWN))
    people = people.mutate(channel=people.channel.fill_null("none")).select("person_id", *_TRAITS)
    found = people.group_by(*_TRAITS).agg(n=people.count()).to_pyarrow().to_pandas()
    known = respondents.dropna()
    asked = ibis.memtable(pd.DataFrame({"response_id": known.index, "person_id": known.to_numpy()}))
    own = people.inner_join(asked, "person_id").to_pyarrow().to_pandas().set_index("response_id")
    if own.empty:
        raise Refusal("no respondent is in the customer base: nothing to weight the sample to")
    own = own.reindex(respondents.index)[list(_TRAITS)].astype(object)
    margins, unheard = {}, []
    for trait in _TRAITS:
        shares = found.groupby(trait)["n"].sum().sort_index() / found["n"].sum()
        rare = list(shares.index[shares < smallest])
        joined = shares.rename(index={level: "other" for level in rare}).groupby(level=0).sum()
        own[trait] = own[trait].where(~own[trait].isin(rare), "other")
        here = joined.index.isin(set(own[trait].dropna()))
        unheard += [(trait, level, share) for level, share in joined[~here].items() if share >= smallest]
        if joined[here].sum() < LEAST_HEARD:
            missing = ", ".join(f"{level} ({share:.0%})" for level, share in joined[~here].items())
            raise Refusal(f"the respondents stand for less than half of the customers: nobody with {trait} {missing}")
        margins[trait] = (joined[here] / joined[here].sum()).to_dict()
    unheard = pd.DataFrame(unheard, columns=["trait", "level", "share"])
    return Base(margins, unheard, own, int(found["n"].sum()))


def _bands(rfm: ir.Table) -> ir.Table:
    """Return person_id, stage, and bands of orders and of net revenue (quarters of those who bought) as texts."""
    orders = rfm.frequency.fill_null(0)
    bought = rfm.filter(orders > 0).monetary.cast("float64")
    quarters = bought.quantile([0.25, 0.5, 0.75]).execute()
    quarters = [] if quarters is None else list(quarters)
    ends = [f"{low}+" if low == ORDERS[-1] else str(low) if high == low + 1 else f"{low}-{high - 1}"
            for low, high in zip(ORDERS, (*ORDERS[1:], 0), strict=True)]  # fmt: skip
    groups = [(orders >= low, name) for low, name in zip(reversed(ORDERS), reversed(ends), strict=True)]
    spent = rfm.monetary.cast("float64")
    parts = [(orders <= 0, "none"), *((spent <= end, f"q{i + 1}") for i, end in enumerate(quarters))]
    return rfm.select(
        "person_id", stage="lifecycle", orders=ibis.cases(*groups, else_="0"), revenue=ibis.cases(*parts, else_="q4")
    )
