"""What a notebook declares: its title, its parameters with defaults and types, the tables it reads and writes."""

import ast
import io
import json
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from waage.errors import WaageError, did_you_mean

_TYPES = {"int": int, "float": float, "bool": bool, "str": str, "list": list, "dict": dict}


@dataclass(frozen=True)
class Parameter:
    """A parameter as its notebook declares it: `name: type = default  # help (unit)`."""

    name: str
    type: str
    default: object
    help: str

    def accept(self, value: object) -> object:
        """Return `value` as this parameter's type; whole numbers pass as float, nothing else is converted.

        Raises
        ------
        WaageError
            Naming the parameter, its type and the value.
        """
        kind, _, item = self.type.partition("[")
        if kind == "list" and isinstance(value, tuple):
            value = list(value)
        checked = _as(value, kind)
        if checked is not _WRONG and kind == "list" and item:
            checked = [_as(element, item.rstrip("]")) for element in checked]
            checked = _WRONG if any(element is _WRONG for element in checked) else checked
        if checked is _WRONG:
            raise WaageError(f"parameter {self.name} must be {self.type}, not {type(value).__name__} {value!r}")
        return checked


_WRONG = object()


def _as(value: object, kind: str) -> object:
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    wrong = not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "bool")
    return _WRONG if wrong else value


@dataclass(frozen=True)
class Notebook:
    """A notebook of the workbench, read without running it.

    Attributes
    ----------
    path : Path
    title : str
        The first heading.
    parameters : dict of name to Parameter
    reads, optional, writes : tuples of table names
        From the notebook's metadata `waage`.
    cell_ids : tuple of str
    code_cells : int
    """

    path: Path
    title: str
    parameters: dict[str, Parameter]
    reads: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    cell_ids: tuple[str, ...] = ()
    code_cells: int = 0

    @property
    def name(self) -> str:
        """The file's name without its ending, such as 04_clv."""
        return self.path.stem

    @classmethod
    def load(cls, path: Path) -> "Notebook":
        """Read a notebook file; WaageError where it declares its parameters wrongly."""
        content = json.loads(path.read_text(encoding="utf-8"))
        cells = tuple({**cell, "source": "".join(cell["source"])} for cell in content["cells"])
        titles = [line[2:] for cell in cells for line in cell["source"].splitlines() if line.startswith("# ")]
        tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
        if len(tagged) > 1:
            raise WaageError(f"{path.name}: {len(tagged)} cells are tagged 'parameters'; one is allowed")
        declared = metadata if isinstance(metadata := content["metadata"].get("waage", {}), dict) else {}
        return cls(
            path=path,
            title=titles[0].strip() if titles else path.stem,
            parameters=declared_parameters(tagged[0]["source"], path.name) if tagged else {},
            **{name: tuple(declared.get(name, ())) for name in ("reads", "optional", "writes")},
            cell_ids=tuple(cell.get("id", "") for cell in cells),
            code_cells=sum(cell["cell_type"] == "code" for cell in cells),
        )

    def resolve(self, *layers: Mapping[str, object], where: Iterable[str] = ()) -> dict[str, object]:
        """Merge layers of parameters over the defaults, later ones winning.

        Raises
        ------
        WaageError
            Naming every unknown parameter (with a did-you-mean) and every wrong type.
        """
        values = {name: parameter.default for name, parameter in self.parameters.items()}
        faults = []
        for layer, place in zip(layers, [*where, *[""] * len(layers)], strict=False):
            for name, value in layer.items():
                prefix = f"{place}: " if place else ""
                if name not in self.parameters:
                    hint = did_you_mean(name, self.parameters)
                    faults.append(
                        f"{prefix}{self.name} has no parameter {name!r}{hint}; it has {', '.join(self.parameters)}"
                    )
                    continue
                try:
                    values[name] = self.parameters[name].accept(value)
                except WaageError as error:
                    faults.append(f"{prefix}{self.name}: {error}")
        if faults:
            raise WaageError("\n".join(faults))
        return values


def declared_parameters(source: str, place: str) -> dict[str, Parameter]:
    """Read a parameters cell, which holds only lines `name: type = literal  # help (unit)`.

    Papermill's own reading is one regular expression that loses values with '#' or '=' in quotes.

    Raises
    ------
    WaageError
        When the cell holds anything else.
    """
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    parameters = {}
    for node in ast.parse(source).body:
        try:
            kind = ast.unparse(node.annotation)
            if not isinstance(node.target, ast.Name) or kind.partition("[")[0] not in _TYPES:
                raise ValueError
            parameter = Parameter(node.target.id, kind, ast.literal_eval(node.value), comments.get(node.end_lineno, ""))
            parameter.accept(parameter.default)
        except (AttributeError, ValueError, WaageError) as error:
            line = ast.get_source_segment(source, node)
            raise WaageError(
                f"{place}: {line!r} is not a parameter; write name: type = literal  # help, with a type among "
                f"{', '.join(_TYPES)} that fits the literal"
            ) from error
        parameters[parameter.name] = parameter
    return parameters


def given_parameters(notebook: Notebook, namespace: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters somebody set by hand or Papermill injected, out of a running notebook's names.

    A value counts as given where it differs from the default on disk, or where a cell that Papermill
    injected (it begins with "# Parameters") names it.
    """
    given = {}
    for name, parameter in notebook.parameters.items():
        if name in namespace and namespace[name] != parameter.default:
            given[name] = namespace[name]
    for cell in namespace.get("In", ()):
        if cell.lstrip().startswith("# Parameters"):
            for node in ast.parse(cell).body:
                target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
                if isinstance(target, ast.Name) and target.id in notebook.parameters:
                    given[target.id] = namespace[target.id]
    return given


def find_notebooks(folder: Path) -> dict[str, Notebook]:
    """Return the numbered notebooks of a folder by name, in their order."""
    return {path.stem: Notebook.load(path) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))}


def pick(names: Iterable[str], wanted: str) -> str:
    """Return the name that `wanted` names in full or by its number ("04"), or as a unique beginning.

    Raises
    ------
    WaageError
        With a did-you-mean and the list.
    """
    names, wanted = list(names), wanted.zfill(2) if wanted.isdigit() else wanted
    found = [name for name in names if name == wanted] or [name for name in names if name.startswith(wanted)]
    if len(found) == 1 and wanted:
        return found[0]
    raise WaageError(f"no notebook is called {wanted!r}{did_you_mean(wanted, names)}; there are {', '.join(names)}")


def namespace(values: Mapping[str, object]) -> SimpleNamespace:
    """Return parameters as attributes."""
    return SimpleNamespace(**values)
