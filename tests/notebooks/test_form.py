"""The form of committed notebooks; `make lint` runs this file alone, so it needs the standard library only."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("[!.]*.ipynb"))
NOTEBOOKS = [path for path in NOTEBOOKS if ".ipynb_checkpoints" not in path.parts]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request) -> dict:
    content = json.loads(request.param.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        cell["text"] = "".join(cell["source"])
    return content


def code_cells(notebook: dict) -> list[dict]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def code_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} >= {
        "01_data_unification",
        "02_rfm_typology",
        "04_clv",
        "05_ix_linkage",
        "cockpit",
    }


def test_no_outputs_and_stable_ids(notebook):
    for cell in code_cells(notebook):
        assert not cell["outputs"] and cell["execution_count"] is None, f"cell {cell['id']} carries outputs"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"[a-z][a-z0-9-]{1,40}", name) for name in ids)


def test_first_cell_is_title_and_question_second_the_parameters(notebook):
    first, second = notebook["cells"][:2]
    assert first["cell_type"] == "markdown" and first["text"].startswith("# ") and "?" in first["text"]
    assert second["metadata"].get("tags") == ["parameters"]
    for line in second["text"].splitlines():
        assert re.fullmatch(r"[a-z_]+: [a-z]+(\[[a-z]+\])? = .+  # .+", line), f"not a parameter line: {line}"


def test_cells_and_notebooks_stay_thin(notebook):
    for cell in code_cells(notebook):
        most = (
            25 if cell["id"] == "parameters" else 15
        )  # parameters are a list that is looked up, not code that is read
        assert len(code_lines(cell["text"])) <= most, f"cell {cell['id']} is longer than {most} lines"
    assert sum(len(code_lines(cell["text"])) for cell in code_cells(notebook)) <= 150


def test_no_functions_no_paths(notebook):
    for cell in code_cells(notebook):
        for node in ast.walk(ast.parse(cell["text"])):
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef), (
                f"a function in cell {cell['id']} belongs in lib"
            )
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.search(r"(^|\s)(\.{0,2}/)?[\w.-]+/[\w./-]+\.(parquet|csv|json|ipynb)", node.value)


def test_every_parameter_is_used(notebook):
    declared = [node.target.id for node in ast.parse(notebook["cells"][1]["text"]).body]
    used = set()
    for cell in code_cells(notebook)[1:]:
        for node in ast.walk(ast.parse(cell["text"])):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                used.add(node.id)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "p":
                used.add(node.attr)
    assert set(declared) <= used


def test_tables_go_one_way(notebook):
    """No notebook writes a table that an earlier one reads, and none writes what another writes."""
    seen_reads, written = {}, {}
    for path in NOTEBOOKS:
        if path.parent.name != "notebooks":
            continue
        declared = json.loads(path.read_text(encoding="utf-8"))["metadata"]["waage"]
        for table in declared["writes"]:
            assert table not in seen_reads, f"{path.stem} writes {table}, which {seen_reads[table]} reads"
            assert table not in written, f"{path.stem} and {written.get(table)} both write {table}"
            written[table] = path.stem
        seen_reads |= dict.fromkeys([*declared["reads"], *declared["optional"]], path.stem)
