"""Clusters as a pure function of edges minus vetoes: components, and strongest edge first where something objects."""

from collections import defaultdict
from collections.abc import Mapping

import networkx as nx
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Pairs = tuple[np.ndarray, np.ndarray]


def components(n: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Label n nodes by connected component; the label is the component's smallest node."""
    if not len(a):
        return np.arange(n)
    ones = np.ones(len(a), dtype=np.int8)
    label = connected_components(coo_matrix((ones, (a, b)), shape=(n, n)), directed=False)[1]
    _, first = np.unique(label, return_index=True)
    return first[label]


def cluster(
    n: int,
    a: np.ndarray,
    b: np.ndarray,
    strength: np.ndarray,
    *,
    vetoes: Pairs | None = None,
    held: Mapping[str, Pairs] | None = None,
    most: Mapping[str, int] | None = None,
    cap: int = 200,
) -> np.ndarray:
    """Cluster nodes so that no cluster holds a veto, too many values of an identifier, or more than `cap` nodes.

    Connected components that break none of these stay as they are. The others are built anew, strongest edge
    first, and an edge that would break a limit is left out. In a component above the cap, edges that alone hold
    two parts of at least two nodes together (bridges) are cut before. Edges of infinite strength are decisions of
    a person: they link before anything else, and only a veto stops them.

    Parameters
    ----------
    n : int
        Nodes are 0 to n - 1.
    a, b : arrays of int
        Ends of the edges.
    strength : array of float
        Higher goes first; equal strength in order of a, then b.
    vetoes : (array of int, array of int)
        Pairs of nodes that must not share a cluster.
    held : mapping, optional
        identifier -> (nodes, value codes).
    most : mapping, optional
        identifier -> how many different values a cluster may hold.
    cap : int
        Nodes in a cluster.

    Returns
    -------
    array of int
        The cluster of each node: the smallest node in it.
    """
    held, most = held or {}, most or {}
    vetoes = vetoes or (np.array([], dtype=int), np.array([], dtype=int))
    label = components(n, a, b)
    size = np.bincount(label, minlength=n)
    suspect = size > cap
    inside = label[vetoes[0]] == label[vetoes[1]]
    suspect[label[vetoes[0][inside]]] = True
    for name, (nodes, values) in held.items():
        _, codes = np.unique(values, return_inverse=True)
        width = max(len(values), 1)
        owners = np.unique(label[nodes] * width + codes) // width  # one for each value a component holds
        suspect[np.flatnonzero(np.bincount(owners, minlength=n) > most[name])] = True
    if not suspect.any():
        return label

    chosen = np.flatnonzero(suspect[label[a]])
    chosen = chosen[np.lexsort((b[chosen], a[chosen], -strength[chosen]))]
    free = np.isposinf(strength[chosen])
    cut = _bridges(a[chosen], b[chosen], (size[label[a[chosen]]] > cap) & ~free)
    members = {node: {node} for node in np.flatnonzero(suspect[label]).tolist()}
    parent = {node: node for node in members}
    enemies: dict[int, set] = defaultdict(set)
    for x, y in zip(vetoes[0][inside].tolist(), vetoes[1][inside].tolist(), strict=True):
        enemies[x].add(y)
        enemies[y].add(x)
    owned: dict[str, dict[int, set]] = {}
    for name, (nodes, values) in held.items():
        owned[name] = defaultdict(set)
        here = suspect[label[nodes]]
        for node, value in zip(nodes[here].tolist(), values[here].tolist(), strict=True):
            owned[name][node].add(value)

    def root(x: int) -> int:
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for x, y, decided in zip(a[chosen].tolist(), b[chosen].tolist(), free.tolist(), strict=True):
        p, q = root(x), root(y)
        if p == q:
            continue
        if len(members[p]) < len(members[q]):
            p, q = q, p
        if not enemies[q].isdisjoint(members[p]):
            continue
        if not decided:
            if (x, y) in cut or len(members[p]) + len(members[q]) > cap:
                continue
            if any(len(own[p] | own[q]) > max(most[name], len(own[p]), len(own[q])) for name, own in owned.items()):
                continue
        parent[q] = p
        members[p] |= members.pop(q)
        enemies[p] |= enemies.pop(q)
        for own in owned.values():
            own[p] |= own.pop(q, set())
    result = label.copy()
    for mine in members.values():
        result[list(mine)] = min(mine)
    return result


def _bridges(a: np.ndarray, b: np.ndarray, large: np.ndarray) -> set[tuple[int, int]]:
    """Return those of the large components' edges that alone connect two parts of at least two nodes."""
    graph = nx.Graph(zip(a[large].tolist(), b[large].tolist(), strict=True))
    found = [edge for edge in nx.bridges(graph) if min(graph.degree(node) for node in edge) > 1]
    return {pair for x, y in found for pair in ((x, y), (y, x))}
