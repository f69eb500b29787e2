"""An import only ever points down, and a subject imports no other subject."""

import ast
from pathlib import Path

import pytest

LIB = Path(__file__).resolve().parents[1] / "lib" / "waage"
FLOORS = [
    {"__main__", "cli", "run", "manifest", "report", "pages", "markup"},
    {"study", "sources", "config", "notebook", "publication"},
    {"unify", "rfm", "customer_base", "typology", "personas", "clv", "ix", "demo"},
    {
        "tables",
        "contract",
        "engine",
        "history",
        "stats",
        "profiles",
        "weighting",
        "answers",
        "privacy",
        "style",
        "errors",
    },
]
MODULES = sorted(path for path in LIB.rglob("*.py") if path.name != "__init__.py" or path.parent != LIB)


def room(path: Path) -> str:
    return path.relative_to(LIB).parts[0].removesuffix(".py")


def floor(name: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if name in rooms)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIB)))
def test_imports_point_down(path):
    own = room(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "waage":
            parts = node.module.split(".")
            for other in [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]:
                if other == own or other == "__version__":
                    continue
                assert floor(other) >= floor(own), f"{own} imports {other}, which lies above it"
                assert floor(own) != 2 or floor(other) > 2, f"the subject {own} imports the subject {other}"
