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
    if state.model is not None:
        frozen = {
            "version": VERSION,
            "prior": state.model.prior,
            "accounts": list(state.model.accounts),
            "limits": asdict(state.limits),
            "vetoes": list(state.vetoes),
            "weights": state.model.weights.to_dict("records"),
        }
        yield "identity_model", frozen
        yield "identity_names", state.model.names
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
    ids = {"identity_map": kept("identity_map"), "changes": kept("identity_changes")}
    frozen, names = kept("identity_model"), kept("identity_names")
    if retrain or frozen is None or names is None:
        return State(**ids)
    if frozen["version"] != VERSION:
        raise WaageError(
            f"state/identity_model.json has version {frozen['version']}, this workbench writes {VERSION}: "
            "run once with retrain"
        )
    weights = pd.DataFrame(frozen["weights"])
    return State(
        model=Model(frozen["prior"], weights, names, tuple(frozen["accounts"])),
        limits=Limits(**frozen["limits"]),
        vetoes=tuple(frozen["vetoes"]),
        **ids,
    )
