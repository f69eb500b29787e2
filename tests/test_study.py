import contextlib
import json
import os
import shutil
from datetime import date

import pandas as pd
import pytest

from waage.engine import describe
from waage.errors import WaageError
from waage.publication import complete, publish, table_path, write_json
from waage.sources import check_sources
from waage.study import Study, find_root


def frame(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns)


def rfm(*people: str) -> pd.DataFrame:
    return frame(person_id=list(people), segment=["new"] * len(people))


def test_root_is_waage_home_or_the_nearest_folder_with_a_pyproject(home, monkeypatch):
    assert find_root() == home
    monkeypatch.delenv("WAAGE_HOME")
    assert find_root(home / "notebooks" / "pages") == home
    monkeypatch.chdir("/")
    with pytest.raises(WaageError, match="set WAAGE_HOME"):
        find_root()


def test_a_study_opens_with_its_settings_and_defaults(make_study):
    make_study(money="gross", as_of=date(2024, 6, 30))
    study = Study.open("small")
    assert (study.config.money, study.config.as_of, study.config.discount_rate) == ("gross", date(2024, 6, 30), 0.10)
    assert Study.open("small").reports.name == "small"


def test_as_of_is_data_until_where_nothing_else_is_said(make_study):
    make_study()
    assert Study.open("small").config.as_of == date(2024, 12, 31)


def test_the_environment_names_the_study_of_the_pages(make_study, monkeypatch):
    make_study()
    monkeypatch.setenv("WAAGE_STUDY", "small")
    assert Study.open().name == "small"


@pytest.mark.parametrize("name", ["../small", "a/b", "", ".", "small/../small"])
def test_names_that_are_no_folder_names_are_refused(make_study, name):
    make_study()
    with pytest.raises(WaageError, match=r"is not the name of a study.*there are small"):
        Study.open(name)


def test_an_unknown_study_is_answered_with_a_hint_and_the_list(make_study):
    make_study("journey")
    make_study("cdnow")
    with pytest.raises(WaageError, match=r"'jurney' \(did you mean 'journey'\?\); there are cdnow, journey"):
        Study.open("jurney")


def test_all_faults_of_study_yaml_are_named_together(make_study):
    folder = make_study(languge="de", min_cell=0, time_zone="Berlin", as_of=date(2025, 1, 1))
    with (folder / "study.yaml").open("a") as file:
        file.write("engine: {memry: 2GB}\n")
    with pytest.raises(WaageError) as error:
        Study.open("small")
    text = str(error.value)
    assert text.startswith("data/small/study.yaml:")
    assert "unknown key 'languge' (did you mean 'language'?)" in text
    assert "min_cell must be a whole number from 1, not 0" in text
    assert "time_zone must be a zone such as Europe/Berlin, not 'Berlin'" in text
    assert "unknown key 'engine.memry' (did you mean 'memory'?)" in text


def test_faults_in_unify_are_named(make_study):
    folder = make_study()
    with (folder / "study.yaml").open("a") as file:
        file.write("unify: {sorce_order: [web], junk: nobody, most: {email: 0}}\n")
    with pytest.raises(WaageError) as error:
        Study.open("small")
    text = str(error.value)
    assert "unknown key 'unify.sorce_order' (did you mean 'source_order'?)" in text
    assert "unify.junk must be a list of texts (quote numbers), not 'nobody'" in text
    assert "unify.most must be a mapping of identifiers to whole numbers, not {'email': 0}" in text


def test_as_of_after_data_until_and_broken_yaml_are_refused(make_study):
    folder = make_study(as_of=date(2025, 1, 1))
    with pytest.raises(WaageError, match="as_of 2025-01-01 lies after data_until 2024-12-31"):
        Study.open("small")
    (folder / "study.yaml").write_text("name: small\n  data_until: [")
    with pytest.raises(WaageError, match=r"study\.yaml, line 2: not YAML"):
        Study.open("small")


def test_parameters_default_then_study_then_hand(make_study):
    folder = make_study()
    with (folder / "study.yaml").open("a") as file:
        file.write("notebooks:\n  04_clv: {horizon_months: 6}\n")
    study = Study.open("small", notebook="04")
    assert study.parameters().horizon_months == 6
    assert study.parameters("02").active_days == 90
    with pytest.warns(UserWarning, match=r"study.yaml sets horizon_months = 6, over this notebook's default"):
        assert study.parameters(given={"horizon_months": 12}).horizon_months == 6, "12 is the default, nobody set it"
    assert study.parameters(given={"horizon_months": 3}).horizon_months == 3
    injected = {"horizon_months": 12, "In": ["", "# Parameters\nhorizon_months = 12\n"]}
    assert study.parameters(given=injected).horizon_months == 12, "Papermill was told 12"
    with pytest.raises(WaageError, match="04_clv: parameter draws must be int, not str 'many'"):
        study.parameters(given={"draws": "many"})


def test_unknown_parameters_and_notebooks_in_study_yaml_are_refused(make_study):
    folder = make_study()
    with (folder / "study.yaml").open("a") as file:
        file.write("notebooks:\n  04_clv: {horizon_month: 6}\n  07_magic: {x: 1}\n")
    with pytest.raises(WaageError, match="07_magic"):
        Study.open("small").parameters("04_clv")
    text = (folder / "study.yaml").read_text().replace("  07_magic: {x: 1}\n", "")
    (folder / "study.yaml").write_text(text)
    with pytest.raises(WaageError, match=r"study.yaml: 04_clv has no parameter 'horizon_month' \(did you mean"):
        Study.open("small").parameters("04_clv")


def test_written_tables_appear_together_when_the_notebook_finishes(make_study):
    make_study()
    writer, reader = Study.open("small", notebook="04_clv"), Study.open("small")
    writer.write("clv", frame(person_id=["b", "a"], clv=[1.0, 2.0]))
    assert writer.read("clv").execute()["person_id"].tolist() == ["a", "b"], "the writer sees its own, in key order"
    assert not reader.has("clv")
    writer.finish()
    assert reader.has("clv") and reader.read("clv").clv.sum().execute() == 3.0
    assert not any((reader.tables / ".staging").iterdir())


def test_tables_a_notebook_no_longer_writes_disappear(make_study):
    make_study()
    first = Study.open("small", notebook="04_clv")
    first.write("clv", frame(person_id=["a"]))
    first.write("clv_backtest", frame(window=["w"], model=["bg"], metric=["mae"]))
    first.finish()
    second = Study.open("small", notebook="04_clv")
    second.write("clv", frame(person_id=["a"]))
    second.finish()
    assert second.has("clv") and not second.has("clv_backtest")


def test_finishing_again_or_after_a_part_was_rewritten_loses_nothing(make_study):
    make_study()
    study = Study.open("small", notebook="04_clv")
    study.write("clv", frame(person_id=["a"]))
    study.write("clv_backtest", frame(window=["w"], model=["bg"], metric=["mae"]))
    study.finish()
    study.finish()
    assert study.has("clv") and study.has("clv_backtest")
    study.write("clv", frame(person_id=["b"]))
    study.finish()
    assert study.read("clv").execute()["person_id"].tolist() == ["b"] and study.has("clv_backtest")


def test_finish_refuses_when_the_staged_tables_are_gone_or_a_run_is_under_way(make_study):
    make_study()
    study = Study.open("small", notebook="04_clv")
    study.write("clv", frame(person_id=["a"]))
    with study.alone(), pytest.raises(WaageError, match="another run of small is under way"):
        study.finish()
    Study.open("small").tidy()
    study.finish()
    assert study.has("clv"), "a living process keeps its stage when somebody tidies"
    study.write("clv", frame(person_id=["a"]))
    shutil.rmtree(study.stage)
    with pytest.raises(WaageError, match=r"staged tables are gone \(clv\)"):
        study.finish()
    assert study.has("clv")


def test_a_key_that_occurs_twice_is_refused(make_study):
    make_study()
    study = Study.open("small", notebook="04_clv")
    with pytest.raises(WaageError, match=r"clv: 1 keys occur more than once, e.g. {'person_id': 'a'}"):
        study.write("clv", frame(person_id=["a", "a", "b"]))


def test_unknown_tables_are_not_silently_absent(make_study):
    make_study()
    with pytest.raises(WaageError, match=r"'evnets' \(did you mean 'events'\?\)"):
        Study.open("small").has("evnets")


def test_undeclared_tables_and_missing_keys_are_refused(make_study):
    make_study()
    study = Study.open("small", notebook="04_clv")
    with pytest.raises(WaageError, match="notebook 04_clv does not write a table 'rfm'"):
        study.write("rfm", rfm("a"))
    with pytest.raises(WaageError, match=r"clv: key columns \['person_id'\] are missing"):
        study.write("clv", frame(person=["a"]))
    with pytest.raises(WaageError, match="without notebook="):
        Study.open("small").write("rfm", rfm("a"))


def test_reading_what_is_not_there_says_who_writes_it(make_study):
    make_study()
    with pytest.raises(WaageError, match="no table 'rfm'; run 02_rfm_typology first"):
        Study.open("small").read("rfm")
    with pytest.raises(WaageError, match=r"'rmf' \(did you mean 'rfm'\?\)"):
        Study.open("small").read("rmf")


def test_what_is_kept_for_the_next_run_appears_with_the_tables(make_study):
    make_study()
    study = Study.open("small", notebook="04_clv")
    study.keep("model", {"a": 1.5, "name": "Ä"})
    study.keep("names", frame(name=["x"], n=[3]))
    assert study.kept("model") is None and study.kept("names") is None, "a run that fails keeps nothing"
    study.write("clv", frame(person_id=["a"]))
    study.finish()
    again = Study.open("small")
    assert again.kept("model") == {"a": 1.5, "name": "Ä"}
    assert again.kept("names").to_dict("list") == {"name": ["x"], "n": [3]}
    assert again.kept("nothing") is None


@pytest.mark.parametrize("killed_after", range(5))
def test_a_publication_killed_anywhere_shows_the_old_set_or_the_new_one(make_study, monkeypatch, killed_after):
    make_study()
    names = ("clv", "clv_backtest")
    for content in ("old", "new"):
        study = Study.open("small", notebook="04_clv")
        study.write("clv", frame(person_id=[content]))
        study.write("clv_backtest", frame(window=[content], model=["bg"], metric=["mae"]))
        study.keep("model", {"run": content})
        if content == "old":
            study.finish()

    class Killed(BaseException):
        pass

    done, replace = [], os.replace

    def dying_replace(source, target):
        if len(done) == killed_after:
            raise Killed
        done.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", dying_replace)
    with contextlib.suppress(Killed):
        publish(study.tables, study.stage, list(names), [], study.reports)
    monkeypatch.setattr(os, "replace", replace)

    def seen() -> set[str]:
        tables = {name: pd.read_parquet(table_path(study.tables, name)) for name in names}
        kept = Study.open("small").kept("model")["run"]
        return {tables["clv"]["person_id"][0], tables["clv_backtest"]["window"][0], kept}

    expected = {"old"} if killed_after == 0 else {"new"}
    assert seen() == expected
    complete(study.tables)
    assert seen() == expected
    assert not (study.tables / "commit.json").exists()


def test_json_is_replaced_never_half_written(tmp_path):
    write_json(tmp_path / "a.json", {"x": 1})
    loop: list = []
    loop.append(loop)
    with pytest.raises(ValueError, match="Circular"):
        write_json(tmp_path / "a.json", {"x": 2, "y": loop})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": 1}


def test_equal_content_is_equal_bytes_whatever_the_order_of_rows_and_threads(make_study):
    hashes = set()
    people = frame(person_id=[f"p{i:06d}" for i in range(200_000)], clv=[i / 7 for i in range(200_000)])
    for number, threads in enumerate((1, 2, 2)):
        make_study(f"s{number}", engine={"threads": threads})
        study = Study.open(f"s{number}", notebook="04_clv")
        study.write("clv", people.sample(frac=1, random_state=number))
        hashes.add(describe(study.stage / "clv.parquet").sha256)
    assert len(hashes) == 1


def test_person_joins_the_identity_map_on_reading(make_study):
    make_study()
    study = Study.open("small", notebook="01")
    study.write("identity_map", frame(source=["s"], source_id=["1"], person_id=["P"]))
    study.write("events", frame(event_id=["e1", "e2"], source=["s", "s"], source_id=["1", None]))
    joined = study.read("events", person=True).order_by("event_id").execute()
    assert joined["person_id"].isna().tolist() == [False, True] and joined["person_id"][0] == "P"
    assert set(joined.columns) == {"event_id", "source", "source_id", "person_id"}


# Sources


def test_sources_are_checked_and_accounted_for(make_study):
    make_study()
    ingest = check_sources(Study.open("small"))
    assert ingest.summary.to_dict("records") == [
        {"table": "orders", "rows_in": 400, "accepted": 400, "quarantined": 0, "excluded": 0}
    ]
    assert ingest.report[["table", "reason", "rows"]].to_numpy().tolist() == [["orders", "", 0]]


def test_a_typo_in_sql_is_named_with_file_line_and_duckdbs_words(make_study):
    make_study(sources={"orders": "-- orders\nSELECT\n  sorce AS source\nFROM (SELECT 1 AS source)\n"})
    with pytest.raises(WaageError) as error:
        check_sources(Study.open("small"))
    assert "data/small/sources/orders.sql, line 3: " in str(error.value)
    assert 'Referenced column "sorce" not found' in str(error.value)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1 FROM read_csv('${raw}/nothing.csv')", "No files found"),
        ("SELECT 1; DROP TABLE x", "exactly one SELECT"),
        ("CREATE TABLE x AS SELECT 1", "exactly one SELECT"),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
    ],
)
def test_sql_that_is_no_select_or_finds_no_file_is_refused(make_study, sql, words):
    folder = make_study(sources={"orders": sql})
    (folder / "raw").mkdir()
    with pytest.raises(WaageError, match=words):
        check_sources(Study.open("small"))


def test_a_missing_raw_folder_is_named(make_study):
    make_study(sources={"orders": "SELECT * FROM read_csv('${raw}/o.csv')"})
    with pytest.raises(WaageError, match="the raw folder 'raw' is missing; put the extracts there"):
        check_sources(Study.open("small"))


def test_faults_of_all_tables_come_together(make_study):
    make_study(
        sources={
            "orders": "SELECT 's' AS source",
            "events": "SELECT nope",
            "ordres": "SELECT 1",
            "units": "SELECT NULL AS unit FROM range(3)",
        }
    )
    with pytest.raises(WaageError) as error:
        check_sources(Study.open("small"))
    text = str(error.value)
    assert "no table is called 'ordres' (did you mean 'orders'?)" in text
    assert "column 'order_id' is missing" in text
    assert "data/small/sources/events.sql, line 1" in text
    assert "3 of 3 rows (100.0%) break rules" in text and "unit is missing: 3 rows" in text


def test_more_quarantine_than_allowed_stops_and_the_limit_is_a_setting(make_study, orders_sql):
    turned = "CASE WHEN order_id IN ('A1', 'A2') THEN -revenue ELSE revenue END AS revenue"
    bad = f"SELECT * REPLACE ({turned}) FROM ({orders_sql})"
    make_study(sources={"orders": bad}, max_quarantine_share=0.004)
    with pytest.raises(WaageError, match=r"2 of 400 rows \(0.5%\) break rules, more than max_quarantine_share 0.4%"):
        check_sources(Study.open("small"))
    make_study(sources={"orders": bad}, max_quarantine_share=0.01)
    assert check_sources(Study.open("small")).summary["quarantined"].tolist() == [2]


def test_a_single_faulty_act_of_consent_stops(make_study):
    act = "SELECT 'shop' AS source, 'C1' AS source_id, 'profiling' AS purpose, DATE '2024-01-01' AS changed_at"
    good = f"{act}, 'email' AS channel, 'granted' AS status FROM range(500)"
    make_study(sources={"consents": f"SELECT DISTINCT * FROM ({good}) UNION ALL {act}, 'letter', 'objected'"})
    with pytest.raises(WaageError, match=r"an act of consent must not get lost.*\n.*channel is none of email"):
        check_sources(Study.open("small"))


def test_an_empty_orders_table_and_a_missing_one_stop(make_study, orders_sql):
    folder = make_study(sources={"orders": f"SELECT * FROM ({orders_sql}) WHERE false"})
    with pytest.raises(WaageError, match=r"orders.sql: yields no rows"):
        check_sources(Study.open("small"))
    (folder / "sources" / "orders.sql").unlink()
    with pytest.raises(WaageError, match=r"orders.sql is missing"):
        check_sources(Study.open("small"))


def test_ids_that_a_csv_reader_made_numbers_are_pointed_out(make_study):
    """DuckDB keeps leading zeros it sees in the first 20,480 rows; a later one is lost without a word."""
    folder = make_study(data_until=date(2030, 1, 1))
    (folder / "raw").mkdir()
    rows = "".join(f"s,{i},2024-01-01,x,1\n" for i in range(100_000, 125_000)) + "s,0001,2024-01-01,x,1\n"
    (folder / "raw" / "o.csv").write_text("source,order_id,ordered_at,channel,revenue\n" + rows)
    sql = "SELECT * FROM read_csv('${raw}/o.csv')"
    (folder / "sources" / "orders.sql").write_text(sql)
    (note,) = check_sources(Study.open("small")).notes
    assert "order_id" in note and "all_varchar = true" in note
    (folder / "sources" / "orders.sql").write_text(sql.replace("csv')", "csv', all_varchar = true)"))
    ingest = check_sources(Study.open("small"))
    assert not ingest.notes
    assert ingest.tables["orders"].accepted.order_id.min().execute() == "0001"


def test_raw_data_in_a_package_that_is_missing_is_said(make_study):
    make_study(raw="package:no_such_module/data")
    with pytest.raises(WaageError, match="package 'no_such_module', which is not installed"):
        check_sources(Study.open("small"))
