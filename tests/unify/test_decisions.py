import re
from pathlib import Path

import pytest

from waage.errors import WaageError
from waage.unify.decisions import COLUMNS, Decision, read_decisions

HEAD = ",".join(COLUMNS)


@pytest.fixture
def read(tmp_path):
    def run(*lines: str, head: str = HEAD, encoding: str = "utf-8", end: str = "\n") -> list[Decision]:
        path = tmp_path / "decisions.csv"
        path.write_bytes((end.join([head, *lines]) + end).encode(encoding))
        return read_decisions(path)

    return run


def refused(read, *lines: str, **options) -> str:
    with pytest.raises(WaageError) as caught:
        read(*lines, **options)
    return str(caught.value)


def test_a_file_is_read_as_written(read):
    got = read("link,web,007,card,A b,ann,2025-01-02,same woman", " Separate ,web,1,web,01,,,")
    assert got == [
        Decision("link", ("web", "007"), ("card", "A b"), 2),
        Decision("separate", ("web", "1"), ("web", "01"), 3),
    ]


def test_no_file_no_line_and_no_reasons_are_fine(read, tmp_path):
    assert read_decisions(tmp_path / "none.csv") == []
    assert read() == []
    (tmp_path / "blank.csv").touch()
    assert read_decisions(tmp_path / "blank.csv") == []
    assert len(read("link,a,1,b,2", head=",".join(COLUMNS[:5]))) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [",", ";"])
def test_as_spreadsheets_save_it(read, mark, end, encoding):
    line = mark.join(["link", "web", "1", "card", "2", "Jörg", "", '"one, two; three"'])
    got = read(line, head=mark.join(COLUMNS), end=end, encoding=encoding)
    assert got == [Decision("link", ("web", "1"), ("card", "2"), 2)]


def test_a_file_that_is_not_utf_8_is_refused_with_the_way_out(read):
    message = refused(read, "link,web,1,card,2,Jörg,,", encoding="cp1252")
    assert "decisions.csv" in message and "UTF-8" in message


def test_lines_are_counted_as_an_editor_does(read):
    message = refused(read, "link,a,1,b,2,,,", "", 'separate,a,1,b,3,,,"two\nlines"', "", "merge,a,1,b,2,,,")
    assert "line 7: action 'merge'" in message
    got = read("", "link,a,1,b,2,,,", 'link,a,1,b,3,,,"two\nlines"', "link,a,1,b,4,,,")
    assert [decision.line for decision in got] == [3, 5, 6]


def test_missing_columns_are_named(read):
    message = refused(read, "link,web,1,card", head="action,source_a,source_id_a,source_b")
    assert "source_id_b" in message and HEAD in message
    assert "source_id_b" in refused(read, head="action,source_a,source_id_a,source_b")


def test_every_faulty_line_is_named_at_once(read):
    message = refused(
        read, "lnk,web,1,card,2,,,", "seperate,web,1,card,2,,,", "link,web,,card,2,,,", "link,web,1,web,1,,,",
        "link,web,1", "link,web,1,card,9,,,",
    )  # fmt: skip
    assert [int(no) for no in re.findall(r"line (\d+):", message)] == [2, 3, 4, 5, 6]
    assert "'lnk'" in message and "'link'" in message.splitlines()[1].replace("'lnk'", "")
    assert "'separate'" in message.splitlines()[2]
    assert "must be given" in message.splitlines()[3] and "same id" in message.splitlines()[4]


def test_an_id_is_masked_in_the_message(read):
    message = refused(read, "link,news,anna@web.de,news,anna@web.de,,,")
    assert "anna" not in message and "news" in message


def test_contradictions_name_both_lines(read):
    message = refused(read, "link,web,1,card,2,,,", "separate,card,2,web,1,,,")
    assert "line 3 separates two ids that line 2 links" in message


def test_contradictions_through_a_chain_name_all_lines_on_the_way(read):
    chain = ["link,a,1,a,2,,,", "link,z,1,z,2,,,", "link,a,3,a,2,,,", "link,a,3,a,4,,,", "separate,a,4,a,1,,,"]
    message = refused(read, *chain)
    assert "line 6 separates two ids that line 2, line 4, line 5 link" in message and "line 3" not in message
    assert len(read(*chain[:-1], "separate,a,4,z,1,,,")) == 5


def test_ids_that_differ_in_case_or_zeros_are_different(read):
    assert len(read("link,web,a1,web,A1,,,", "separate,web,a1,web,0a1,,,")) == 2


def test_a_path_is_shown_as_asked(tmp_path):
    path = Path(tmp_path) / "x.csv"
    path.write_text(HEAD + "\nno,a,1,b,2,,,\n", encoding="utf-8")
    with pytest.raises(WaageError, match=r"^data/demo/decisions\.csv:"):
        read_decisions(path, "data/demo/decisions.csv")
