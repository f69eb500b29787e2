import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from waage.unify.clusters import cluster, components

N = 9


def arrays(pairs: list[tuple]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array([pair[:2] for pair in pairs], dtype=int).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def run(n: int, edges: list[tuple], vetoes: list[tuple] = (), held: list[tuple] = (), most: int = 1, cap: int = 200):
    strength = np.array([edge[2] for edge in edges], dtype=float)
    return cluster(
        n, *arrays(edges), strength, vetoes=arrays(list(vetoes)), held={"card": arrays(list(held))},
        most={"card": most}, cap=cap,
    ).tolist()  # fmt: skip


def reached(n: int, edges: list[tuple]) -> list[frozenset]:
    """Return the cluster of each node, by walking."""
    result = []
    for start in range(n):
        seen, queue = {start}, [start]
        for at in queue:
            for a, b, *_ in edges:
                for here, there in ((a, b), (b, a)):
                    if here == at and there not in seen:
                        seen.add(there)
                        queue.append(there)
        result.append(frozenset(seen))
    return result


def breaks(members: frozenset, vetoes: list, held: list, most: int, cap: int) -> bool:
    values = {value for node, value in held if node in members}
    return len(members) > cap or len(values) > most or any({*veto} <= members for veto in vetoes)


def reference(n: int, edges: list, vetoes: list, held: list, most: int, cap: int) -> list[int]:
    """Cluster as the docstring says, slowly: sets, whole scans, no shortcuts."""
    whole = reached(n, edges)
    sets = {node: frozenset([node]) for node in range(n)}
    for node in range(n):
        if not breaks(whole[node], vetoes, held, most, cap):
            sets[node] = whole[node]
    cut = set()
    for edge in edges:
        x, y = edge[:2]
        if x != y and len(whole[x]) > cap and edge[2] < np.inf:
            # Decisions are no part of what a bridge is looked for in: they are never cut.
            others = [e for e in edges if {*e[:2]} != {x, y} and e[2] < np.inf]
            parts = reached(n, others)
            if y not in parts[x] and len(parts[x]) > 1 and len(parts[y]) > 1:
                cut.add(frozenset((x, y)))
    for x, y, strength in sorted(edges, key=lambda edge: (-edge[2], edge[0], edge[1])):
        one, two = sets[x], sets[y]
        if one == two:
            continue
        both = one | two
        if any({*veto} <= both for veto in vetoes):
            continue
        if strength < np.inf:
            values = [{value for node, value in held if node in part} for part in (one, two, both)]
            if frozenset((x, y)) in cut or len(both) > cap:
                continue
            if len(values[2]) > max(most, len(values[0]), len(values[1])):
                continue
        sets |= dict.fromkeys(both, both)
    return [min(sets[node]) for node in range(n)]


node = st.integers(0, N - 1)
pair = st.tuples(node, node).filter(lambda ends: ends[0] < ends[1])
edge_lists = st.lists(
    st.tuples(pair, st.sampled_from([1.0, 2.0, 3.5, np.inf])).map(lambda drawn: (*drawn[0], drawn[1])),
    max_size=16,
    unique_by=lambda edge: edge[:2],
)
veto_lists = st.lists(pair, max_size=4)
held_lists = st.lists(st.tuples(node, st.integers(0, 3)), max_size=8, unique=True)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(edge_lists, veto_lists, held_lists, st.integers(1, 2), st.integers(2, N), st.randoms(use_true_random=False))
def test_as_the_plain_reference_in_any_order(edges, vetoes, held, most, cap, random):
    want = reference(N, edges, vetoes, held, most, cap)
    assert run(N, edges, vetoes, held, most, cap) == want
    for rows in (edges, vetoes, held):
        random.shuffle(rows)
    swapped = [(b, a) for a, b in vetoes]
    assert run(N, edges, swapped, held, most, cap) == want


@settings(max_examples=100, deadline=None, derandomize=True)
@given(edge_lists, veto_lists, held_lists, st.integers(1, 2), st.integers(2, N))
def test_no_cluster_breaks_a_limit_and_none_without_cause_is_touched(edges, vetoes, held, most, cap):
    edges = [(a, b, min(strength, 9.0)) for a, b, strength in edges]
    label = run(N, edges, vetoes, held, most, cap)
    whole = reached(N, edges)
    own = {n: {value for holder, value in held if holder == n} for n in range(N)}
    for name in set(label):
        members = frozenset(n for n in range(N) if label[n] == name)
        assert min(members) == name and all(members <= whole[n] for n in members)
        values = set().union(*(own[n] for n in members))
        # Who holds too many alone cannot be helped.
        assert len(values) <= max(most, *(len(own[n]) for n in members))
        assert len(members) <= cap and not any({*veto} <= members for veto in vetoes)
    for members in set(whole):
        if not breaks(members, vetoes, held, most, cap):
            assert {label[n] for n in members} == {min(members)}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(edge_lists, veto_lists, held_lists, st.integers(2, N))
def test_decisions_hold_whatever_else_is_said(edges, vetoes, held, cap):
    decided = [edge for edge in edges if edge[2] == np.inf]
    together = reached(N, decided)
    vetoes = [veto for veto in vetoes if veto[1] not in together[veto[0]]]
    label = run(N, edges, vetoes, held, 1, cap)
    assert all(label[a] == label[b] for a, b, _ in decided)
    assert all(label[a] != label[b] for a, b in vetoes)


def test_components_are_named_by_their_smallest_node():
    assert components(6, np.array([5, 3]), np.array([2, 4])).tolist() == [0, 1, 2, 3, 3, 2]
    assert components(3, np.array([], dtype=int), np.array([], dtype=int)).tolist() == [0, 1, 2]
    assert components(0, np.array([], dtype=int), np.array([], dtype=int)).tolist() == []


def test_the_stronger_edge_wins_where_both_cannot_hold():
    assert run(3, [(0, 1, 1.0), (1, 2, 2.0)], vetoes=[(0, 2)]) == [0, 1, 1]
    assert run(3, [(0, 1, 2.0), (1, 2, 1.0)], vetoes=[(0, 2)]) == [0, 0, 2]
    # Equal strength: in order of the ends.
    assert run(3, [(1, 2, 1.0), (0, 1, 1.0)], vetoes=[(0, 2)]) == [0, 0, 2]
    assert run(3, [(0, 1, 1.0), (1, 2, np.inf)], vetoes=[(0, 2)]) == [0, 1, 1]


def test_a_person_holds_one_card():
    chain = [(0, 1, 3.0), (1, 2, 2.0), (2, 3, 1.0)]
    assert run(4, chain, held=[(0, 7), (3, 8)]) == [0, 0, 0, 3]
    assert run(4, chain, held=[(0, 7), (3, 7)]) == [0, 0, 0, 0]
    assert run(4, chain, held=[(0, 7), (3, 8)], most=2) == [0, 0, 0, 0]
    # An id that shows two cards itself keeps its company, but brings no third one.
    assert run(4, chain, held=[(0, 7), (0, 8), (1, 7), (3, 9)]) == [0, 0, 0, 3]
    # What a person has decided is not limited.
    assert run(2, [(0, 1, np.inf)], held=[(0, 7), (1, 8)]) == [0, 0]


def clique(nodes: range, strength: float = 2.0) -> list[tuple]:
    return [(a, b, strength) for a, b in itertools.combinations(nodes, 2)]


def test_bridges_are_cut_where_a_component_is_above_the_cap():
    two = [*clique(range(5)), *clique(range(5, 10)), (4, 5, 9.0)]
    assert run(10, two, cap=10) == [0] * 10
    # The bridge is the strongest edge, and still it goes first: without it the two halves hold by themselves.
    assert run(10, two, cap=9) == [0] * 5 + [5] * 5
    decided = run(10, [*two[:-1], (4, 5, np.inf)], cap=9)
    assert decided[4] == decided[5] and max(map(decided.count, decided)) == 9
    # A leaf is no part of at least two, so its edge is no bridge; it goes only when the cap is full.
    assert run(6, [*clique(range(5)), (4, 5, 9.0)], cap=5)[4:] == [4, 4]


def test_a_large_input_takes_seconds():
    rng = np.random.default_rng(3)
    n = 100_000
    a = rng.integers(0, n - 4, n)
    b = a + rng.integers(1, 4, n)
    x = rng.integers(0, n - 1, 5_000)
    label = cluster(n, a, b, rng.random(n), vetoes=(x, x + 1), cap=50)
    assert np.bincount(label).max() <= 50 and (label[x] != label[x + 1]).all()
