"""Who is who: rules first, then Splink for what is left, guards throughout, decisions above all, ids that stay."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from waage.errors import WaageError
from waage.unify.clusters import cluster, components
from waage.unify.decisions import Decision
from waage.unify.guards import IDENTIFIERS, Limits, block
from waage.unify.ids import changes, stable_ids
from waage.unify.model import Model, anchors, score, train
from waage.unify.profiles import candidates, profiles
from waage.unify.rules import RULES, contradiction, rule_edges, trusted_vetoes

FLOOR = -4.0  # bits; weaker pairs of the model are not kept, not even as rejected
PERSONAL = 1.3  # a source with at most this many ids a group holds one id a person (guest orders hold more)
MOST = {"loyalty_id": 1, "email": 10, "phone": 10}  # one card of the programme; mailboxes and numbers over the years
NAMESAKES = 0.01  # share of pairs of one name and birth date or address who are two, father and son: judgement
CAUGHT = 0.95  # share of wrong links between two known first names that the veto catches: judgement


@dataclass(frozen=True)
class Settings:
    """How ids are joined.

    Attributes
    ----------
    threshold, review_from : float
        Probability from which a pair of the model links; from which it is shown for review.
    most : mapping of identifier to int
        Different values a person may hold; over the defaults in `MOST`.
    largest : int
        Ids a person may have.
    junk : tuple of str
        Values that identify nobody, besides the built-in ones.
    seed : int
    """

    threshold: float = 0.8
    review_from: float = 0.5
    most: dict[str, int] = field(default_factory=dict)
    largest: int = 200
    junk: tuple[str, ...] = ()
    seed: int = 7

    @classmethod
    def of(cls, unify: Mapping[str, object], threshold: float, review_from: float, seed: int) -> "Settings":
        """Read settings from the mapping `unify` of study.yaml and a notebook's parameters."""
        junk, most = tuple(unify.get("junk", ())), dict(unify.get("most", {}))
        return cls(threshold, review_from, most=most, junk=junk, seed=seed)

    def __post_init__(self):
        if not 0 < self.review_from <= self.threshold < 1:
            raise WaageError(
                f"review_from {self.review_from} and threshold {self.threshold} must be probabilities, the first not "
                "above the second, such as 0.5 and 0.8"
            )
        if unknown := sorted(set(self.most) - set(IDENTIFIERS)):
            raise WaageError(f"most: {unknown[0]!r} is no identifier; there are {', '.join(IDENTIFIERS)}")
        object.__setattr__(self, "most", {**MOST, **self.most})


@dataclass(frozen=True)
class State:
    """What one run hands to the next; all None before the first.

    Attributes
    ----------
    model : Model or None
    limits : Limits or None
        Fan-out limits, frozen with the model.
    vetoes : tuple of str or None
        Fields whose contradiction separates two ids, frozen too.
    links : DataFrame or None
        source_a, source_id_a, source_b, source_id_b: what the model linked.
    identity_map : DataFrame or None
        source, source_id, person_id.
    changes : DataFrame or None
        As `waage.unify.ids.changes` returns it.
    """

    model: Model | None = None
    limits: Limits | None = None
    vetoes: tuple[str, ...] | None = None
    links: pd.DataFrame | None = None
    identity_map: pd.DataFrame | None = None
    changes: pd.DataFrame | None = None


@dataclass(frozen=True)
class Resolution:
    """Who is who.

    Attributes
    ----------
    identity_map : ibis table
        source, source_id, person_id, rule (of the strongest edge that holds the id: a rule's name, "model",
        "decision", or "single"), probability (that this edge is right; 1 for a single id).
    edges : ibis table
        source_a, source_id_a, source_b, source_id_b, rule, weight (bits; NULL for rules), probability (before vetoes
        and limits), agreed, contradicted, status: *linked*, *implied* (in review, but linked by others), *review*,
        *rejected*,
        *vetoed* (contradicts, or would break a limit), *separated* (a decision). An edge of the model joins two
        groups of ids; it is written for the id of each that knows most.
    blocked : DataFrame
        identifier, value, records, names, reason: values that link nothing.
    rules : DataFrame
        rule, pairs, vetoed, linked, wrong_share (estimated): what each rule did.
    changes : DataFrame
    state : State
        For the next run.
    trained : bool
        Whether the model was trained in this run.
    notes : list of str
        What a reader should know.
    """

    identity_map: ir.Table
    edges: ir.Table
    blocked: pd.DataFrame
    rules: pd.DataFrame
    changes: pd.DataFrame
    state: State
    trained: bool
    notes: list[str]


def resolve(
    records: ir.Table,
    ids: ir.Table | None = None,
    *,
    settings: Settings = Settings(),
    state: State = State(),
    decisions: Sequence[Decision] = (),
    as_of: date | None = None,
    id_key: str = "",
) -> Resolution:
    """Find the persons behind the ids of all sources.

    Parameters
    ----------
    records : ibis table
        As `waage.unify.normalise` returns it, on DuckDB.
    ids : ibis table, optional
        source, source_id: ids of which nothing is known but that they exist (orders, events).
    settings : Settings
    state : State
        Of the last run: its model and limits are used as they are, and its ids are inherited.
    decisions : sequence of Decision
    as_of : date, optional
        Day of the extract, written to the changes.
    id_key : str
        As in `waage.unify.ids.stable_ids`.

    Returns
    -------
    Resolution
    """
    con = records.get_backend().con
    n, notes = _nodes(con, records, ids)
    limits, blocked = block(con, limits=state.limits, junk=settings.junk)
    vetoes = trusted_vetoes(con) if state.vetoes is None else state.vetoes
    rule_edges(con, vetoes)
    found = con.execute(
        """SELECT a, b, ranks[1]::DOUBLE AS rank, contradicted IS NULL AS sound FROM rule_edges ORDER BY a, b"""
    ).df()
    held = _held(con, settings.most)
    a, b, first, sound = (found[column].to_numpy() for column in ("a", "b", "rank", "sound"))
    grow = _Grow(con, n, held, vetoes, settings)
    groups = grow(a[sound], b[sound], -first[sound], [], [])

    pairs, model, trained = _compare(con, n, groups, state.model, settings.seed, state.links)
    linking = pairs["weight"].to_numpy() >= _bits(settings.threshold)
    linked, separated, unknown = _decided(con, decisions)
    if unknown:
        notes.append(f"decisions.csv: {unknown} of its lines wait, for they name an id that no source holds now.")
    pair_a, pair_b = pairs["a"].to_numpy()[linking], pairs["b"].to_numpy()[linking]
    ends = np.concatenate([linked[:, 0], a[sound], pair_a]), np.concatenate([linked[:, 1], b[sound], pair_b])
    strength = np.concatenate([np.full(len(linked), np.inf), 1000 - first[sound], pairs["weight"].to_numpy()[linking]])
    label = grow(*ends, strength, linked, separated)

    _write_edges(con, pairs, linked, separated, label, settings)
    rules = _rule_table(con)
    con.execute("UPDATE edges SET probability = r.probability FROM rule_probability r WHERE edges.rank = r.rank "
                "AND edges.checkable = r.checkable")  # fmt: skip
    nodes = con.execute("SELECT source, source_id FROM nodes ORDER BY node").df()
    named = stable_ids(nodes.assign(cluster=label), state.identity_map, id_key)
    history = changes(named, state.changes, state.identity_map, as_of or date.today())
    _write_map(con, named, label)
    table = records.get_backend().table
    kept = named[["source", "source_id", "person_id"]]
    links = con.execute(
        """SELECT source_a, source_id_a, source_b, source_id_b FROM resolved_edges
        WHERE rule = 'model' AND status = 'linked' ORDER BY ALL"""
    ).df()
    if not len(pairs) and not len(found):
        notes.append("No two ids share a name, a number or an address: every id is a person of its own.")
    return Resolution(
        table("resolved_map"),
        table("resolved_edges"),
        blocked,
        rules,
        history,
        replace(state, model=model, limits=limits, vetoes=vetoes, links=links, identity_map=kept, changes=history),
        trained,
        notes,
    )


def _nodes(con, records: ir.Table, ids: ir.Table | None) -> tuple[int, list[str]]:
    """Write `records` (with `node`) and `nodes` (one row an id: its newest first name, surname and birth date)."""
    backend = records.get_backend()
    every = records.select("source", "source_id")
    if ids is not None:
        every = every.union(ids.select("source", "source_id").filter(ids.source_id.notnull()))
    backend.create_table("every_id", every.distinct(), temp=True, overwrite=True)
    con.execute(
        """CREATE OR REPLACE TEMP TABLE every_id AS
        SELECT (row_number() OVER (ORDER BY source, source_id) - 1)::BIGINT AS node, * FROM every_id"""
    )
    dated = records.mutate(updated_at=records.updated_at.fill_null(ibis.timestamp("1900-01-01 00:00:00")))
    dated = dated.join(backend.table("every_id"), ["source", "source_id"])
    backend.create_table("records", dated, temp=True, overwrite=True)
    con.execute(
        """CREATE OR REPLACE TEMP TABLE nodes AS
        SELECT i.node, any_value(i.source) AS source, any_value(i.source_id) AS source_id,
          coalesce(
            arg_max(first_name, (updated_at, record)) FILTER (length(first_name) > 1),
            arg_max(first_name, (updated_at, record)) FILTER (first_name IS NOT NULL)
          ) AS first_name,
          arg_max(last_name, (updated_at, record)) FILTER (last_name IS NOT NULL) AS last_name,
          arg_max(birth_date, (updated_at, record)) FILTER (birth_date IS NOT NULL) AS birth_date
        FROM every_id i LEFT JOIN records r USING (node) GROUP BY i.node"""
    )
    con.execute("DROP TABLE every_id")
    bare = con.execute(
        """SELECT source, count(*) AS ids FROM nodes GROUP BY source
        HAVING source NOT IN (
          SELECT source FROM records
          WHERE coalesce(email, phone, loyalty_id, device_id, last_name || birth_date, last_name || street) IS NOT NULL)
        ORDER BY source"""
    ).fetchall()
    notes = [
        f"No rule can link the {ids:,} ids of source {source}: it gives no e-mail, phone, card, device, and no name "
        "with a birth date or address."
        for source, ids in bare
    ]
    return con.execute("SELECT count(*) FROM nodes").fetchone()[0], notes


@dataclass
class _Grow:
    """Cluster with vetoes looked up inside the clusters that edges alone would make."""

    con: object
    n: int
    held: dict
    vetoes: tuple[str, ...]
    settings: Settings

    def __call__(self, a, b, strength, linked, separated) -> np.ndarray:
        settings, n = self.settings, self.n
        a, b, strength = (np.asarray(part) for part in (a, b, strength))
        # First the cap alone: contradictions are looked for pair by pair, which a blob would make endless.
        rough = cluster(n, a, b, strength, cap=settings.largest)
        same = rough[a] == rough[b]
        self.con.register("rough", pd.DataFrame({"node": np.arange(n), "label": rough}))
        vetoes = self.con.execute(
            f"""WITH inside AS (
              SELECT nodes.*, label FROM nodes JOIN rough USING (node)
              WHERE first_name IS NOT NULL OR birth_date IS NOT NULL
            ), mixed AS (
              SELECT label FROM inside GROUP BY label
              HAVING count(DISTINCT first_name) > 1 OR count(DISTINCT birth_date) > 1
            ), those AS (SELECT * FROM inside SEMI JOIN mixed USING (label))
            SELECT x.node AS a, y.node AS b FROM those x JOIN those y ON x.label = y.label AND x.node < y.node
            WHERE {contradiction("x", "y", self.vetoes)} IS NOT NULL ORDER BY a, b"""
        ).df()
        self.con.unregister("rough")
        against = vetoes[["a", "b"]].to_numpy()
        if len(linked):
            # Whom a person has linked, no veto parts: neither the two, nor those who are with them in any case.
            known = same & np.isfinite(strength)
            apart = np.vstack([against, separated]) if len(separated) else against
            alone = self._cluster(a[known], b[known], strength[known], apart)
            joined = components(n, alone[linked[:, 0]], alone[linked[:, 1]])[alone]
            against = against[joined[against[:, 0]] != joined[against[:, 1]]]
        if len(separated):
            against = np.vstack([against, separated])
        return self._cluster(a[same], b[same], strength[same], against)

    def _cluster(self, a, b, strength, against) -> np.ndarray:
        return cluster(
            self.n, a, b, strength, vetoes=(against[:, 0], against[:, 1]),
            held=self.held, most=self.settings.most, cap=self.settings.largest,
        )  # fmt: skip


def _held(con, most: Iterable[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    held = {}
    for name in most:
        frame = con.execute(
            f"""SELECT DISTINCT node, (dense_rank() OVER (ORDER BY {name}))::BIGINT AS value FROM records
            WHERE {name} IS NOT NULL AND {name} NOT IN (SELECT value FROM blocked WHERE identifier = '{name}')"""
        ).df()
        held[name] = frame["node"].to_numpy(), frame["value"].to_numpy()
    return held


def _compare(
    con, n: int, groups: np.ndarray, model: Model | None, seed: int, links: pd.DataFrame | None
) -> tuple[pd.DataFrame, Model | None, bool]:
    """Score the groups that rules left apart; returns pairs of their best-known ids, with the model used."""
    con.register("grouped", pd.DataFrame({"node": np.arange(n), "grp": groups}))
    trained = model is None
    con.register(
        "personal_sources", pd.DataFrame({"source": list(model.accounts if model else _accounts(con))}, dtype=object)
    )
    con.execute(
        """CREATE OR REPLACE TEMP TABLE personal AS
        SELECT source::VARCHAR AS source, (1::BIGINT << (row_number() OVER (ORDER BY source) - 1)) AS bit
        FROM personal_sources ORDER BY source LIMIT 60"""
    )
    con.unregister("personal_sources")
    if trained:
        anchors(con)
        con.execute(
            "CREATE OR REPLACE TEMP TABLE node_group AS "
            "SELECT DISTINCT unnest([l, r]) AS node, node AS grp FROM anchors"
        )
        profiles(con)
        con.execute("DROP TABLE IF EXISTS single_profiles")
        con.execute("ALTER TABLE profiles RENAME TO single_profiles")
    con.execute("CREATE OR REPLACE TEMP TABLE node_group AS SELECT * FROM grouped")
    con.unregister("grouped")
    names = profiles(con, model.names if model else None)
    candidates(con)
    if links is not None and len(links):
        _add_candidates(con, links)
    for column in ("emails", "phones", "addresses", "postcodes", "streets"):
        con.execute(f"ALTER TABLE profiles DROP COLUMN {column}")  # only candidates needs all of them
    if not con.execute("SELECT count(*) FROM candidates").fetchone()[0]:
        nothing = pd.DataFrame(columns=["l", "r", "weight", "agreed", "contradicted", "a", "b"])
        return nothing.astype({"a": "int64", "b": "int64", "weight": float}), model, False
    if trained:
        sources = tuple(source for (source,) in con.execute("SELECT source FROM personal ORDER BY source").fetchall())
        model = train(con, seed, names, n - len(np.unique(groups)), sources)
        con.execute("DROP TABLE single_profiles")
    pairs = score(con, model, FLOOR)
    best = con.execute("SELECT unique_id, best FROM profiles").df().set_index("unique_id")["best"]
    ends = (
        np.column_stack([best.reindex(pairs[end]).to_numpy() for end in "lr"]) if len(pairs) else np.empty((0, 2), int)
    )
    pairs = pairs.assign(a=ends.min(axis=1), b=ends.max(axis=1))
    return pairs, model, trained


def _add_candidates(con, links: pd.DataFrame) -> None:
    """Compare again what the model linked in the last run, however full the blocking keys have become since.

    Whether it links them again is for the evidence to say: a candidate is no link.
    """
    con.register("last_links", links)
    con.execute(
        """INSERT INTO candidates
        SELECT DISTINCT least(g.grp, h.grp), greatest(g.grp, h.grp) FROM last_links l
        JOIN nodes x ON x.source = l.source_a AND x.source_id = l.source_id_a
        JOIN nodes y ON y.source = l.source_b AND y.source_id = l.source_id_b
        JOIN node_group g ON g.node = x.node JOIN node_group h ON h.node = y.node
        WHERE g.grp <> h.grp
        EXCEPT SELECT l, r FROM candidates"""
    )
    con.unregister("last_links")


def _accounts(con) -> list[str]:
    """Return the sources that hold one id a person, seen from the groups; guest orders, say, hold more."""
    rows = con.execute(
        f"""SELECT source FROM nodes JOIN grouped USING (node) GROUP BY source
        HAVING count(*) <= {PERSONAL} * count(DISTINCT grp) ORDER BY source"""
    ).fetchall()
    return [source for (source,) in rows]


def _decided(con, decisions: Sequence[Decision]) -> tuple[np.ndarray, np.ndarray, int]:
    """Return decided links and separations as pairs of nodes, and how many name an id that is not there."""
    rows = [(d.action, *d.a, *d.b) for d in decisions]
    columns = ["action", "source_a", "source_id_a", "source_b", "source_id_b"]
    con.register("decided", pd.DataFrame(rows, columns=columns).astype(object))
    found = con.execute(
        """SELECT d.action, x.node AS a, y.node AS b FROM decided d
        JOIN nodes x ON x.source = d.source_a AND x.source_id = d.source_id_a
        JOIN nodes y ON y.source = d.source_b AND y.source_id = d.source_id_b ORDER BY ALL"""
    ).df()
    con.unregister("decided")
    pairs = np.sort(found[["a", "b"]].to_numpy(dtype=np.int64), axis=1)
    link = (found["action"] == "link").to_numpy()
    # What is decided twice, or either way round, is decided once.
    return np.unique(pairs[link], axis=0), np.unique(pairs[~link], axis=0), len(rows) - len(found)


def _write_edges(con, pairs, linked, separated, label, settings: Settings) -> None:
    """Write `edges` (nodes, numbers), the evidence for each link."""
    together = label[pairs["a"].to_numpy()] == label[pairs["b"].to_numpy()]
    enough = pairs["weight"].to_numpy() >= _bits(settings.threshold)
    doubt = pairs["weight"].to_numpy() >= _bits(settings.review_from)
    model = pairs[["a", "b", "weight", "agreed", "contradicted"]].assign(rank=len(RULES))
    model["status"] = np.select(
        [enough & together, enough, doubt & together, doubt], ["linked", "vetoed", "implied", "review"], "rejected"
    )
    decided = pd.DataFrame(np.vstack([linked, separated]), columns=["a", "b"]).astype("int64")
    decided = decided.assign(rank=-1, weight=np.nan, agreed="", contradicted=None)
    decided["status"] = np.r_[np.full(len(linked), "linked"), np.full(len(separated), "separated")].astype(object)
    columns = ["a", "b", "rank", "weight", "agreed", "contradicted", "status"]
    frame = pd.concat(
        [part[columns].astype({"weight": float}) for part in (model, decided) if len(part)] or [decided[columns]]
    )
    con.register("edge_frame", frame.astype({"agreed": object, "contradicted": object, "status": object}))
    con.register("labels", pd.DataFrame({"node": np.arange(len(label)), "label": label}))
    names = "[" + ", ".join(f"'{rule.name}'" for rule in RULES) + "]"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE edges AS
        WITH every AS (
          SELECT a, b, ranks[1]::BIGINT AS rank, NULL::DOUBLE AS weight,
            array_to_string(list_transform(ranks, lambda rank: {names}[rank + 1]), ', ') AS agreed, contradicted,
            CASE WHEN contradicted IS NULL AND x.label = y.label THEN 'linked' ELSE 'vetoed' END AS status
          FROM rule_edges JOIN labels x ON x.node = a JOIN labels y ON y.node = b
          UNION ALL
          SELECT a, b, rank::BIGINT, weight::DOUBLE, agreed::VARCHAR, contradicted::VARCHAR, status::VARCHAR
          FROM edge_frame
        )
        SELECT e.*, (length(x.first_name) > 1 AND length(y.first_name) > 1) IS TRUE AS checkable,
          CASE WHEN e.rank < 0 THEN 1.0 WHEN weight IS NOT NULL THEN 1 / (1 + pow(2.0, -weight)) END AS probability
        FROM every e JOIN nodes x ON x.node = e.a JOIN nodes y ON y.node = e.b"""
    )
    con.unregister("edge_frame")
    con.unregister("labels")


def _rule_table(con) -> pd.DataFrame:
    """Say what each rule did, and how sure it is; writes `rule_probability`.

    Of a rule's pairs whose first names are both known, a share c contradicts itself, and the veto catches them. Where
    a first name is missing nothing catches the same share of wrong pairs. With `CAUGHT` the share of wrong pairs that
    a veto can see: c / CAUGHT of all pairs are wrong, and (1 - CAUGHT) of these remain where names are known. In a rule
    that rests on the name nothing can contradict itself: of its pairs a share `NAMESAKES` is taken to be wrong.
    """
    table = con.execute(
        """SELECT rank, count(*) AS pairs, count(*) FILTER (contradicted IS NOT NULL) AS vetoed,
          count(*) FILTER (status = 'linked') AS linked,
          count(*) FILTER (checkable) AS known, count(*) FILTER (checkable AND contradicted IS NOT NULL) AS against
        FROM edges WHERE rank BETWEEN 0 AND ? GROUP BY rank ORDER BY rank""",
        [len(RULES) - 1],
    ).df()
    # One wrong pair in a thousand is assumed where nothing was seen: "never" is not a rate.
    wrong = ((table["against"] + 0.5) / (table["known"] + 500)).clip(upper=0.5) / CAUGHT
    by_name = np.array([not RULES[rank].identifier for rank in table["rank"]], dtype=bool)
    wrong = wrong.mask(by_name, wrong.clip(lower=NAMESAKES))
    left = np.where(by_name, wrong, wrong * (1 - CAUGHT) / (1 - wrong * CAUGHT))
    sure = pd.DataFrame({"rank": np.tile(table["rank"], 2), "checkable": np.repeat([True, False], len(table)),
                         "probability": np.r_[1 - left, 1 - wrong.to_numpy()]})  # fmt: skip
    con.register("sure", sure)
    con.execute("CREATE OR REPLACE TEMP TABLE rule_probability AS SELECT * FROM sure")
    con.unregister("sure")
    names = [RULES[rank].name for rank in table["rank"]]
    return table.assign(rule=names, wrong_share=wrong)[["rule", "pairs", "vetoed", "linked", "wrong_share"]]


def _write_map(con, named: pd.DataFrame, label: np.ndarray) -> None:
    """Write `resolved_map` and `resolved_edges`, with ids instead of nodes."""
    con.register("named", named[["source", "source_id", "person_id"]])
    rules = "CASE " + " ".join(f"WHEN rank = {rank} THEN '{rule.name}'" for rank, rule in enumerate(RULES))
    rules += " WHEN rank < 0 THEN 'decision' ELSE 'model' END"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE resolved_map AS
        WITH ends AS (
          SELECT a AS node, rank, weight, probability FROM edges WHERE status = 'linked'
          UNION ALL SELECT b, rank, weight, probability FROM edges WHERE status = 'linked'
        ), best AS (
          SELECT node, {rules} AS rule, probability FROM ends
          QUALIFY row_number() OVER (PARTITION BY node ORDER BY rank, weight DESC NULLS LAST, probability DESC) = 1
        )
        SELECT m.source, m.source_id, m.person_id, coalesce(b.rule, 'single') AS rule,
          round(coalesce(b.probability, 1.0), 6) AS probability
        FROM named m JOIN nodes USING (source, source_id) LEFT JOIN best b USING (node)"""
    )
    con.unregister("named")
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE resolved_edges AS
        SELECT x.source AS source_a, x.source_id AS source_id_a, y.source AS source_b, y.source_id AS source_id_b,
          {rules} AS rule, round(weight, 4) AS weight, round(probability, 6) AS probability, agreed, contradicted,
          status
        FROM edges e JOIN nodes x ON x.node = e.a JOIN nodes y ON y.node = e.b"""
    )


def _bits(probability: float) -> float:
    return math.log2(probability / (1 - probability))
