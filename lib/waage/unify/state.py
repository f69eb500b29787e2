"""What one run hands to the next, as JSON and small tables: the frozen model, the ids, and what became of them."""

from collections.abc import Callable, Iterator
from dataclasses import asdict

import pandas as pd

from waage.errors import WaageError
from waage.unify.guards import Limits
from waage.unify.model import Model
from waage.unify.resolve import State

VERSION = 1

Part = pd.DataFrame | dict | None


def state_parts(state: State) -> Iterator[tuple[str, Part]]:
    """Yield name and content of all that a state consists of; `state_from` puts it together again."""
    model = state.model
    if state.limits is not None:
        yield "identity_limits", {"version": VERSION, **asdict(state.limits), "vetoes": list(state.vetoes)}
    # Without a model, too: one kept earlier must not be used again.
    weights = {} if model is None else {
        "prior": model.prior, "accounts": list(model.accounts), "weights": model.weights.to_dict("records"),
    }  # fmt: skip
    yield "identity_model", {"version": VERSION, **weights}
    if model is not None:
        yield "identity_names", model.names
    yield "identity_links", state.links
    yield "identity_map", state.identity_map
    yield "identity_changes", state.changes


def state_from(kept: Callable[[str], Part], retrain: bool = False) -> State:
    """Put a state together from what was kept.

    Parameters
    ----------
    kept : callable
        Returns the content kept under a name, or None (`Study.kept`).
    retrain : bool
        Leave the model and its limits out, so that they are learnt anew; ids are inherited all the same.

    Raises
    ------
    WaageError
        When the model was kept by a version that this one does not read.
    """
    names = {"links": "identity_links", "identity_map": "identity_map", "changes": "identity_changes"}
    ids: dict = {name: kept(file) for name, file in names.items()}
    if retrain:
        return State(**ids)
    frozen = {name: kept(f"identity_{name}") or {} for name in ("limits", "model")}
    for name, part in frozen.items():
        if part and part["version"] != VERSION:
            raise WaageError(
                f"state/identity_{name}.json has version {part['version']}, this workbench writes {VERSION}: "
                "run once with retrain"
            )
    limits, model = frozen["limits"], frozen["model"]
    if limits:
        ids |= {"limits": Limits(limits["names"], limits["records"]), "vetoes": tuple(limits["vetoes"])}
    if "weights" in model:
        weights = pd.DataFrame(model["weights"])
        ids["model"] = Model(model["prior"], weights, kept("identity_names"), tuple(model["accounts"]))
    return State(**ids)
