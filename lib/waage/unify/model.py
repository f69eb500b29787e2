"""What the rules leave apart: groups of ids compared by Splink on all that each group knows.

The weights are those of Fellegi and Sunter (1969). How often a field agrees among matches (m) is learnt from pairs
that a key without that field has already proved to be one person; how often it agrees among others (u), from random
pairs whose first names differ, who are certainly two persons. Surname and address are one comparison: a household
shares both, and must not count as two pieces of evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from waage.unify.comparisons import COMPARISONS, known, level_table, unknown, weigh
from waage.unify.guards import IDENTIFIERS

RANDOM_PAIRS = 400_000  # from which u is learnt
COUNTED_PAIRS = 500_000  # candidates, drawn by hash, whose levels are counted
ANCHOR_PAIRS = 30_000  # of each key from which m is learnt
ENOUGH = 100  # random pairs in a level, below which all candidates are counted instead
SHARED = 60  # ids that may share an anchor
PASSES = 4  # of estimating how many matches there are and how often others share an address
SELDOM = 4  # times a name occurs, below which it counts as no rarer: it may be a misspelling
DOUBT = 20  # pairs that the default of an m weighs


ANCHORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "loyalty_id": ("loyalty_id", ()),
    "email": ("email", ("email",)),
    "phone_birth_date": ("phone || birth_date", ("phone", "birth_date")),
    "birth_date_address": (
        "birth_date || street || coalesce(house_no, '') || '|' || postcode",
        ("birth_date", "address"),
    ),
    "name_birth_date": ("first_name || '|' || last_name || birth_date", ("first_name", "last_name", "birth_date")),
    "name_address": (
        "first_name || '|' || last_name || '|' || street || coalesce(house_no, '') || '|' || postcode",
        ("first_name", "last_name", "address"),
    ),
}
"""Keys that prove two records to be one person, and the comparisons that such pairs therefore teach nothing about."""


@dataclass(frozen=True)
class Model:
    """Trained weights, frozen in state/ so that a nightly run scores as the last one did.

    Attributes
    ----------
    prior : float
        Probability that two random groups are one person.
    weights : DataFrame
        comparison, level, m, u, pairs (from which m was learnt), one row a level; `surname_address` crosses two.
    names : DataFrame
        field (first_name, last_name), name, n (groups with it), share.
    accounts : tuple of str
        Sources that hold one id a person: two ids of one of them speak against one person, weakly.
    """

    prior: float
    weights: pd.DataFrame
    names: pd.DataFrame
    accounts: tuple[str, ...] = ()


def train(con, seed: int, names: pd.DataFrame, joined: int, accounts: tuple[str, ...] = ()) -> Model:
    """Learn m from pairs that a key proves, u from random pairs with different first names.

    Parameters
    ----------
    con : DuckDB connection
        With `profiles` of the groups, their `candidates`, `anchors`, and `single_profiles` of the anchors' ids.
    seed : int
    names : DataFrame
        As `profiles` returns it.
    joined : int
        Ids that the rules have joined to another one.
    accounts : tuple of str
        As in `Model`.
    """
    matches = _anchor_levels(con)
    groups = con.execute("SELECT unique_id FROM profiles ORDER BY unique_id").df()["unique_id"].to_numpy()
    others = _random_pairs(con, groups, seed)
    certain = others[others["first_name"].eq("different")]
    prior = 1 / max(len(groups), 2)
    rows = []
    m: dict[str, dict[str, float]] = {}
    for name, levels in COMPARISONS.items():
        taught = [anchor for anchor, (_, used) in ANCHORS.items() if name not in used]
        seen = matches[matches["anchor"].isin(taught) & matches[name].notna()]
        # Keys are right in all but one or two of a hundred cases; those do not count as a field's disagreement.
        check = "birth_date" if name == "first_name" else "first_name"
        seen = seen[seen[check].ne("different")]
        counts, n = seen[name].value_counts(), len(seen)
        m[name] = {level: (counts.get(level, 0) + DOUBT * default) / (n + DOUBT) for level, _, default in levels}
        if name in ("last_name", "address"):
            continue
        base = others if name == "first_name" else certain
        base = base[base[name].notna()]
        counts = base[name].value_counts()
        for level, _, _ in levels:
            u = (counts.get(level, 0) + 0.5) / (len(base) + 0.5 * len(levels))
            rows.append((name, level, m[name][level], u, n))
    vectors = _vectors(con)
    # Of pairs of two persons, those whose first names are seen to differ.
    every = len(certain) / max(len(others), 1) * len(groups) * (len(groups) - 1) / 2
    left = len(groups) / 2  # matches the rules have not found: the prior first, then what the weights say of the pairs
    for _ in range(PASSES):
        misread = (joined + left) * m["first_name"]["different"] / max(every, 1)
        crossed = _crossed(m, certain, vectors, every, misread, len(matches))
        left = _expected_matches(vectors, [*rows, *crossed], prior)
    rows += crossed
    weights = pd.DataFrame(rows, columns=["comparison", "level", "m", "u", "pairs"])
    # Six digits: sums over threads differ in the last ones, and a frozen model is what the next run reads back.
    for column in ("m", "u"):
        weights[column] = [float(f"{value:.6g}") for value in weights[column]]
    return Model(float(f"{prior:.6g}"), weights, names, accounts)


def score(con, model: Model, floor: float) -> pd.DataFrame:
    """Let Splink weigh the candidates; returns the pairs of at least `floor` bits.

    Parameters
    ----------
    con : DuckDB connection
        With `profiles` and `candidates`.
    model : Model
    floor : float
        Match weight (log2 of the odds) below which a pair is not returned.

    Returns
    -------
    DataFrame
        l, r (groups, l < r), weight, agreed, contradicted (comma-separated fields).
    """
    comparisons = _scoring(model)
    result = weigh(
        con, "profiles", "candidates", comparisons, prior=model.prior, floor=floor - _most_rarity(model.names)
    )
    con.register("name_share", model.names)
    parts = [(name.replace("surname_address", "last_name"), f"mw_{name}") for name in comparisons]
    # That two ids are no accounts at one shop speaks for neither.
    fields = [(name, weight) for name, weight in parts if name != "account"]
    agreed = ", ".join(f"CASE WHEN s.{weight} > 0 THEN '{name}' END" for name, weight in fields)
    against = ", ".join(f"CASE WHEN s.{weight} < 0 THEN '{name}' END" for name, weight in parts)
    found = con.execute(
        f"""WITH usual AS (SELECT field, sum(share * share) AS share FROM name_share GROUP BY field),
        rarity AS (
          SELECT n.field, n.name, log2(u.share * n.n / (n.share * greatest(n.n, {SELDOM}))) AS bits
          FROM name_share n JOIN usual u USING (field)
        )
        SELECT s.unique_id_l AS l, s.unique_id_r AS r,
          round(s.match_weight + CASE WHEN a.first_name = b.first_name THEN coalesce(f.bits, 0) ELSE 0 END
            + CASE WHEN a.last_name = b.last_name THEN coalesce(g.bits, 0) ELSE 0 END, 4) AS weight,
          concat_ws(', ', {agreed}) AS agreed, concat_ws(', ', {against}) AS contradicted
        FROM {result} s
        JOIN profiles a ON a.unique_id = s.unique_id_l JOIN profiles b ON b.unique_id = s.unique_id_r
        LEFT JOIN rarity f ON f.field = 'first_name' AND f.name = a.first_name
        LEFT JOIN rarity g ON g.field = 'last_name' AND g.name = a.last_name
        WHERE weight >= {floor} ORDER BY l, r"""
    ).df()
    con.unregister("name_share")
    con.execute(f"DROP TABLE IF EXISTS {result}")
    return found


def _most_rarity(names: pd.DataFrame) -> float:
    """Return the bits that the rarest first name and the rarest surname add together."""
    bits = 0.0
    for _, field in names.groupby("field"):
        usual = (field["share"] ** 2).sum()
        bits += max(np.log2(usual / (field["share"] * np.maximum(field["n"], SELDOM) / field["n"])).max(), 0)
    return float(bits)


def anchors(con) -> None:
    """Write the table `anchors` (anchor, l, r): pairs of nodes that a key proves to be one person.

    One pair for each further id under a key, so that no person weighs much.
    """
    free = " AND ".join(
        f"coalesce({name} NOT IN (SELECT value FROM blocked WHERE identifier = '{name}'), true)" for name in IDENTIFIERS
    )
    parts = [
        f"""(SELECT '{anchor}' AS anchor, l, r FROM (
          SELECT node AS r, lag(node) OVER (PARTITION BY key ORDER BY node) AS l
          FROM (SELECT DISTINCT {key} AS key, node FROM records WHERE ({key}) IS NOT NULL AND {free})
          QUALIFY count(*) OVER (PARTITION BY key) <= {SHARED}
        ) WHERE l IS NOT NULL ORDER BY hash(l, r), l, r LIMIT {ANCHOR_PAIRS})"""
        for anchor, (key, _) in ANCHORS.items()
    ]
    con.execute(f"CREATE OR REPLACE TEMP TABLE anchors AS {' UNION ALL '.join(parts)}")


def _anchor_levels(con) -> pd.DataFrame:
    con.execute("CREATE OR REPLACE TEMP TABLE pairs AS SELECT DISTINCT l, r FROM anchors")
    levels = _levels(con, "single_profiles", "pairs")
    return con.execute("SELECT * FROM anchors ORDER BY anchor, l, r").df().merge(levels, on=["l", "r"])


def _random_pairs(con, groups: np.ndarray, seed: int) -> pd.DataFrame:
    drawn = groups[np.random.default_rng(seed).integers(0, len(groups), (2, RANDOM_PAIRS))]
    drawn = drawn[:, drawn[0] != drawn[1]]
    frame = pd.DataFrame({"l": drawn.min(axis=0), "r": drawn.max(axis=0)}).drop_duplicates()
    con.register("drawn_pairs", frame)
    con.execute("CREATE OR REPLACE TEMP TABLE pairs AS SELECT * FROM drawn_pairs")
    con.unregister("drawn_pairs")
    return _levels(con, "profiles", "pairs")


def _levels(con, table: str, pairs: str) -> pd.DataFrame:
    """Return the level of each comparison for each pair (None: unknown on one side)."""
    result = level_table(con, table, pairs)
    frame = con.execute(f"SELECT * FROM {result}").df()
    con.execute(f"DROP TABLE {result}")
    return _named_levels(frame)


def _named_levels(frame: pd.DataFrame) -> pd.DataFrame:
    for name, levels in COMPARISONS.items():
        words = np.array([None, *(level for level, _, _ in levels)], dtype=object)
        frame[name] = words[frame[name]]
    return frame


def _vectors(con) -> pd.DataFrame:
    """Count the candidates by what agrees: one row for each combination of levels that occurs, n of them."""
    total = con.execute("SELECT count(*) FROM candidates").fetchone()[0]
    share = min(1.0, COUNTED_PAIRS / max(total, 1))
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE pairs AS
        SELECT l, r FROM candidates WHERE hash(l, r) % 1000000 < {round(share * 1_000_000)}"""
    )
    result = level_table(con, "profiles", "pairs")
    columns = ", ".join(COMPARISONS)
    frame = con.execute(f"SELECT {columns}, count(*) AS n FROM {result} GROUP BY {columns} ORDER BY {columns}").df()
    con.execute(f"DROP TABLE {result}")
    frame["n"] /= share
    return _named_levels(frame)


def _expected_matches(vectors: pd.DataFrame, rows: list[tuple], prior: float) -> float:
    """Return the expected number of matches among the candidates, rarity of names apart."""
    bits = {(name, level): np.log2(m / u) for name, level, m, u, _ in rows}
    total = np.full(len(vectors), np.log2(prior))
    for name in COMPARISONS:
        if name not in ("last_name", "address"):
            total += [bits.get((name, level), 0.0) for level in vectors[name]]
    for i, (surname, address) in enumerate(zip(vectors["last_name"], vectors["address"], strict=True)):
        total[i] += bits.get(("surname_address", _crossed_label(surname, address)), 0.0)
    return float((vectors["n"] / (1 + 2.0**-total)).sum())


def _crossed_label(surname: str | None, address: str | None) -> str:
    return f"{surname or 'unknown'} name, {address or 'unknown'} address"


def _crossed(
    m: Mapping[str, Mapping[str, float]],
    others: pd.DataFrame,
    vectors: pd.DataFrame,
    every: float,
    misread: float,
    pairs: int,
) -> list[tuple]:
    """Return the levels of surname and address as one comparison.

    Among matches the two err independently; among others they do not (households), so u is counted jointly: among
    random pairs, and where these hold fewer than `ENOUGH`, among all `every` pairs whose first names differ. Of these
    some are matches after all, a first name having been misread: their expected number, `misread` of
    `every`, is taken off.
    """
    surname, address = others["last_name"], others["address"]
    both = surname.notna() & address.notna()
    joint = pd.crosstab(surname[both], address[both], dropna=False)
    alone = {"last_name": surname.dropna().value_counts(), "address": address.dropna().value_counts()}
    apart = vectors[vectors["first_name"] == "different"]
    sharing = apart.groupby(["address", "last_name"])["n"].sum()
    rows = []
    for one in [*m["address"], None]:
        for two in [*m["last_name"], None]:
            if one is None and two is None:
                continue
            n = both.sum()
            if one is None or two is None:
                name, level = ("last_name", two) if one is None else ("address", one)
                count, n, cells = alone[name].get(level, 0), alone[name].sum(), len(m[name])
                matching = m[name][level]
            else:
                count = joint.at[two, one] if two in joint.index and one in joint.columns else 0
                cells = len(m["address"]) * len(m["last_name"])
                matching = m["address"][one] * m["last_name"][two]
                if one in ("same", "near") and count < ENOUGH:
                    n = every * n / max(len(others), 1)
                    count = max(sharing.get((one, two), 0) - misread * matching * n, 0)
            u = (count + 0.5) / (n + 0.5 * cells)
            rows.append(("surname_address", _crossed_label(two, one), matching, u, pairs))
    return rows


def _scoring(model: Model) -> dict[str, list[tuple]]:
    """Return the comparisons with trained m and u, as `_splink` takes them."""
    weight = model.weights.set_index(["comparison", "level"])
    result: dict[str, list[tuple]] = {}
    for name, levels in COMPARISONS.items():
        if name == "last_name":
            named, placed = f"({known('last_name')})", f"({known('address')})"
            crossed = [("unknown", f"NOT {named} AND NOT {placed}", None, None)]
            for one, where, _ in [*COMPARISONS["address"][:-1], ("different", placed, 0), ("unknown", "true", 0)]:
                for two, what, _ in [*levels[:-1], ("different", named, 0), ("unknown", "true", 0)]:
                    if (one, two) != ("unknown", "unknown"):
                        label = _crossed_label(two, one)
                        # CASE, not AND: the similarity of names is only worked out where the address level holds.
                        sql = f"CASE WHEN {where} THEN coalesce({what}, false) ELSE false END"
                        crossed.append((label, sql, *weight.loc[("surname_address", label), ["m", "u"]]))
            result["surname_address"] = [*crossed, ("none", "ELSE", 1.0, 1.0)]
        elif name != "address":
            result[name] = [unknown(name)]
            result[name] += [(level, sql, *weight.loc[(name, level), ["m", "u"]]) for level, sql, _ in levels]
    return result
