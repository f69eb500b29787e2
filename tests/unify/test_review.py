"""Pairs for a clerk: the draw, the sheet, the verdicts, and what they say about the links."""

import json

import ibis
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from waage.cli import app
from waage.errors import WaageError
from waage.stats import wilson
from waage.unify.review import PAIR, read_review, review_decisions, review_result, review_sample, review_sheet
from waage.unify.sheet import append_decisions, read_sample, read_verdicts, write_sample, write_sheet

SCHEMA = {**dict.fromkeys([*PAIR, "rule", "status"], "string"), "weight": "float64", "probability": "float64"}


def edges_frame() -> pd.DataFrame:
    """200 pairs by e-mail, 20 by card, 30 each in three weight bands, 40 in review, 10 vetoed."""
    kinds = [("email", None, "linked", 200), ("card", None, "linked", 20), ("model", 4.0, "linked", 30)]
    kinds += [("model", 5.0, "linked", 30), ("model", 25.0, "linked", 30)]
    kinds += [("model", 1.0, "review", 40), ("email", None, "vetoed", 10)]
    rows = [("web", f"{n}-{i}", "card", f"{i}", rule, status, weight, None)
            for n, (rule, weight, status, count) in enumerate(kinds) for i in range(count)]  # fmt: skip
    return pd.DataFrame(rows, columns=list(SCHEMA))


def edges(frame=None):
    return ibis.memtable(edges_frame() if frame is None else frame, schema=ibis.schema(SCHEMA))


def draw(frame=None, **settings) -> pd.DataFrame:
    return review_sample(edges(frame), **settings).execute()


def test_every_stratum_is_drawn_from_and_knows_its_size():
    sample = draw(per_band=25)
    assert list(sample.columns) == ["pair_id", *PAIR, "status", "stratum", "stratum_size"]
    strata = sample.groupby(["status", "stratum"], sort=False)["stratum_size"].agg(["size", "first"])
    assert strata.reset_index().to_numpy().tolist() == [
        ["linked", "rule card", 20, 20],
        ["linked", "rule email", 25, 200],
        ["linked", "weight below 5", 25, 30],
        ["linked", "weight from 5", 25, 30],
        ["linked", "weight from 20", 25, 30],
        ["review", "review", 25, 40],
    ]
    assert sample["pair_id"].is_unique and sample["pair_id"].str.fullmatch("p[0-9a-f]{16}").all()


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_rows():
    first = draw(per_band=10)
    shuffled = draw(edges_frame().sample(frac=1, random_state=3), per_band=10)
    turned = edges_frame().rename(columns=dict(zip(PAIR, [*PAIR[2:], *PAIR[:2]], strict=True)))
    pd.testing.assert_frame_equal(first, shuffled)
    assert set(draw(turned[list(SCHEMA)], per_band=10)["pair_id"]) == set(first["pair_id"]), "whichever way round"
    assert set(draw(per_band=10, seed=8)["pair_id"]) != set(first["pair_id"])
    assert set(first["pair_id"]) <= set(draw(per_band=20)["pair_id"]), "a larger sample holds the smaller one"


def test_a_pair_that_several_rows_name_counts_once():
    frame = edges_frame().iloc[:1]
    other = frame.assign(rule="model", weight=9.0)
    turned = frame.assign(rule="card").rename(columns=dict(zip(PAIR, [*PAIR[2:], *PAIR[:2]], strict=True)))
    sample = draw(pd.concat([other, other.assign(status="review"), frame, turned])[list(SCHEMA)])
    assert sample[["stratum", "stratum_size"]].to_numpy().tolist() == [["rule card", 1]]


IDENTITIES = """SELECT * FROM (VALUES
    ('web', '0-0', TIMESTAMP '2024-01-01', 'Petra', 'Weg 1', DATE '1980-02-03'),
    ('web', '0-0', TIMESTAMP '2024-05-01', 'Petra', 'Allee 2', NULL),
    ('card', '0', NULL, '=HYPERLINK("x")', NULL, NULL), ('card', '1', NULL, 'Jörg; "Jo",
 Müller', '+49 30', NULL)) i(source, source_id, updated_at, first_name, street, birth_date)"""


def test_the_sheet_shows_both_records_side_by_side(duck, tmp_path):
    sample = draw(edges_frame().iloc[:2])
    sheet = review_sheet(sample, duck.sql(IDENTITIES)).set_index("source_id_a")
    assert list(sheet.columns[:5]) == ["pair_id", "stratum", "verdict", "source_a", "source_b"]
    first = sheet.loc["0-0"]
    assert (first.first_name_a, first.street_a, first.birth_date_a) == ("Petra", "Allee 2 | Weg 1", "1980-02-03")
    assert (first.street_b, sheet.loc["0-1"].first_name_a) == ("", "")
    write_sheet(sheet.reset_index(), tmp_path / "pairs.csv")
    content = (tmp_path / "pairs.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf") and len(content.splitlines()) == 3, "one line a pair"
    cells = pd.read_csv(tmp_path / "pairs.csv").set_index("source_id_b")
    assert cells.loc[0, "first_name_b"] == '\'=HYPERLINK("x")' and cells.loc[1, "street_b"] == "'+49 30"
    assert cells.loc[1, "first_name_b"] == 'Jörg; "Jo", Müller'


def test_a_sheet_of_unknown_ids_is_empty_and_not_a_failure(duck):
    sheet = review_sheet(draw(edges_frame().iloc[50:53]), duck.sql(IDENTITIES).filter(ibis._.source == "nobody"))
    assert len(sheet) == 3 and (sheet.filter(like="first_name") == "").all(axis=None)


@pytest.fixture
def drawn() -> pd.DataFrame:
    return draw(per_band=3)


def fill(sample, path, verdicts, delimiter=",", encoding="utf-8", head=""):
    """A filled-in sheet; verdicts as {position in the sample: word}."""
    lines = [delimiter.join(("pair_id", "verdict", "name"))]
    lines += [delimiter.join((pair, verdicts.get(i, ""), "Jörg")) for i, pair in enumerate(sample["pair_id"])]
    path.write_bytes((head + "\r\n".join(lines) + "\r\n").encode(encoding))
    return path


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-8-sig"), (";", "cp1252"), ("\t", "utf-8-sig")]
)
def test_what_a_spreadsheet_writes_is_read(drawn, tmp_path, delimiter, encoding):
    path = fill(drawn, tmp_path / "s.csv", {0: "same", 1: " Different ", 2: "UNSURE"}, delimiter, encoding)
    assert read_verdicts(path, drawn).tolist() == ["same", "different", "unsure"]


def test_faulty_verdicts_are_named_all_together(drawn, tmp_path):
    path = fill(drawn, tmp_path / "s.csv", {0: "same", 1: "sane", 4: "?"})
    with path.open("a") as file:
        file.write("p123,same,x\n" + f"{drawn['pair_id'][0]},different,x\n")
    end = len(drawn) + 2
    with pytest.raises(WaageError) as caught:
        read_verdicts(path, drawn)
    text = str(caught.value)
    assert "s.csv:\n  - line 3: verdict 'sane' is none of same, different, unsure (did you mean 'same'?)" in text
    assert "line 6: verdict '?'" in text and f"line {end}: pair 'p123' is not in the sample" in text
    assert f"line {end + 1}: pair {drawn['pair_id'][0]!r} has another verdict" in text
    with pytest.raises(WaageError, match="no such file"):
        read_verdicts(tmp_path / "none.csv", drawn)
    (tmp_path / "other.csv").write_text("pair,verdict\n")
    with pytest.raises(WaageError, match="column pair_id is missing"):
        read_verdicts(tmp_path / "other.csv", drawn)


def judged(sample, **words):
    """Verdicts by stratum: "rule email" = {"same": 3, ...}; the rest of a stratum is missing."""
    given = {}
    for stratum, counts in words.items():
        pairs = iter(sample.loc[sample["stratum"] == stratum.replace("_", " "), "pair_id"])
        given |= {next(pairs): word for word, count in counts.items() for _ in range(count)}
    return pd.Series(given, dtype=str)


def test_precision_is_weighted_by_stratum():
    sample = draw(per_band=10)
    verdicts = judged(
        sample,
        rule_email={"same": 10},
        rule_card={"same": 3, "different": 1, "unsure": 2},
        weight_below_5={"same": 5, "different": 5},
        review={"same": 2, "different": 6, "unsure": 1},
    )
    result = review_result(sample, verdicts)
    linked, review = result["linked"], result["review"]
    counts = {
        name: linked[name] for name in ("pairs", "judged_pairs", "drawn", "same", "different", "unsure", "missing")
    }
    assert counts == {
        "pairs": 310, "judged_pairs": 250, "drawn": 50, "same": 18, "different": 6, "unsure": 2, "missing": 24,
    }  # fmt: skip
    assert linked["share_same"] == pytest.approx((200 * 1 + 20 * 0.75 + 30 * 0.5) / 250)
    weights = np.repeat([20, 5, 3], [10, 4, 10])
    effective = weights.sum() ** 2 / (weights**2).sum()
    assert linked["effective_n"] == pytest.approx(effective)
    assert (linked["low"], linked["high"]) == pytest.approx(wilson(linked["share_same"] * effective, effective))
    assert linked["share_if_unsure_same"] == pytest.approx((200 + 20 * 5 / 6 + 15) / 250)
    assert linked["share_if_unsure_different"] == pytest.approx((200 + 20 * 3 / 6 + 15) / 250)
    assert (review["share_same"], review["missing"], review["pairs"]) == (0.25, 1, 40)
    by_stratum = {stratum["stratum"]: stratum for stratum in result["strata"]}
    assert by_stratum["rule card"]["share_same"] == 0.75 and by_stratum["weight from 20"]["share_same"] is None
    assert (by_stratum["rule email"]["low"], by_stratum["rule email"]["high"]) == pytest.approx(wilson(10, 10))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert review_result(sample, verdicts, 0.8)["linked"]["low"] > linked["low"]


def test_the_estimate_is_right_on_average():
    rng = np.random.default_rng(0)
    frame = edges_frame()
    truth = {(row.source_id_a, row.source_id_b): rng.random() < (0.98 if row.rule == "email" else 0.7)
             for row in frame.itertuples()}  # fmt: skip
    linked = frame[frame["status"] == "linked"]
    real = np.mean([truth[pair] for pair in zip(linked["source_id_a"], linked["source_id_b"], strict=True)])
    found = []
    for seed in range(25):
        sample = draw(per_band=10, seed=seed)
        keys = zip(sample["source_id_a"], sample["source_id_b"], strict=True)
        verdicts = pd.Series(["same" if truth[key] else "different" for key in keys], sample["pair_id"])
        found.append(review_result(sample, verdicts)["linked"])
    assert np.mean([each["share_same"] for each in found]) == pytest.approx(real, abs=0.02)
    assert sum(each["low"] <= real <= each["high"] for each in found) >= 22


def test_nothing_judged_is_refused_and_only_unsure_is_no_estimate(drawn):
    with pytest.raises(WaageError, match="no pair has a verdict yet"):
        review_result(drawn, pd.Series(dtype=str))
    result = review_result(drawn, judged(drawn, rule_email={"unsure": 3}))
    assert result["linked"]["share_same"] is None and result["linked"]["share_if_unsure_same"] == 1
    assert result["review"]["low"] is None


def test_decisions_are_appended_once(drawn, tmp_path):
    path = tmp_path / "decisions.csv"
    verdicts = judged(drawn, rule_email={"same": 1, "different": 1, "unsure": 1}, review={"same": 1, "different": 1})
    decisions = review_decisions(drawn, verdicts, "Anna", "2024-07-01")
    assert sorted(decisions["action"]) == ["link", "separate"]
    assert append_decisions(path, decisions) == 2 and append_decisions(path, decisions) == 0
    path.write_text(path.read_text().rstrip("\n"))
    back = decisions.assign(action="link")
    with pytest.raises(WaageError, match=r"line 2 separates two ids that line 4 links"):
        append_decisions(path, back)
    lines = path.read_text().splitlines()
    assert lines[0] == "action,source_a,source_id_a,source_b,source_id_b,who,when,why" and len(lines) == 3
    assert "separate,web," in lines[1] and lines[1].endswith('Anna,2024-07-01,"clerical review: different, rule email"')
    path.write_text("action,source_a\n")
    with pytest.raises(WaageError, match=r"column source_id_a, source_b, .* is missing"):
        append_decisions(path, decisions)


def test_the_sample_survives_its_file(drawn, tmp_path):
    sample = drawn.assign(source_id_a="007", source_id_b="NA")
    write_sample(sample, tmp_path / "sample.csv")
    pd.testing.assert_frame_equal(read_sample(tmp_path / "sample.csv"), sample, check_dtype=False)


def waage(*arguments):
    return CliRunner().invoke(app, ["review", *arguments], env={"USER": "anna", "COLUMNS": "200"})


@pytest.fixture
def unified(make_study):
    """A study that has edges and identities."""
    folder = make_study(language="en")
    (folder / "tables").mkdir()
    frame = edges_frame()
    frame.to_parquet(folder / "tables" / "edges.parquet")
    ids = pd.DataFrame({"source": "web", "source_id": frame["source_id_a"], "first_name": "Petra", "email": "p@x.de"})
    ids.assign(updated_at=pd.Timestamp("2024-01-01")).to_parquet(folder / "tables" / "identities.parquet")
    return folder


def test_from_the_draw_to_the_numbers(unified):
    result = waage("small", "--per-band", "5")
    assert result.exit_code == 0, result.output
    assert "30 pairs to judge: data/small/review/pairs.csv" in result.output and "PERSONAL DATA" in result.output
    pairs, review = unified / "review" / "pairs.csv", unified / "state" / "review.json"
    assert read_review(review) is None
    nothing = waage("small", "--read", str(pairs))
    assert nothing.exit_code == 1 and "no pair has a verdict yet" in nothing.output
    assert waage("small", "--per-band", "5").exit_code == 0, "an empty sheet may be drawn again"

    sheet = pd.read_csv(pairs, dtype=str, keep_default_na=False)
    sheet["verdict"] = np.where(sheet["stratum"] == "rule card", "different", "same")
    sheet.to_csv(pairs, index=False, sep=";", encoding="utf-8-sig")
    result = waage("small", "--read", str(pairs), "--decide")
    assert result.exit_code == 0, result.output
    assert "linked (precision)" in result.output and "0.935" in result.output
    assert "10 decisions appended to data/small/decisions.csv" in result.output
    found = read_review(review)
    assert found["linked"]["share_same"] == pytest.approx(290 / 310) and found["review"]["share_same"] == 1
    text = review.read_text()
    assert not any(word in text for word in ("Petra", "p@x.de", "0-0", "pair_id")) and "read_on" in text
    decisions = pd.read_csv(unified / "decisions.csv")
    assert decisions["action"].value_counts().to_dict() == {"separate": 5, "link": 5}
    assert set(decisions["who"]) == {"anna"}

    refused = waage("small", "--per-band", "5")
    assert refused.exit_code == 1 and "pairs.csv holds 30 verdicts" in refused.output
    assert (pd.read_csv(pairs, sep=";")["verdict"] != "").all()
    assert waage("small", "--per-band", "5", "--force").exit_code == 0
    assert pd.read_csv(pairs)["verdict"].isna().all()


def test_what_the_command_refuses(unified, make_study):
    for arguments, words in (
        (("small", "--decide"), "name the filled-in sheet with --read"),
        (("small", "--read", "x.csv"), "no pairs were drawn yet"),
        (("smal",), "no study is called 'smal' (did you mean 'small'?)"),
    ):
        result = waage(*arguments)
        assert result.exit_code == 1 and words in result.output, result.output
    edges_frame().iloc[-10:].to_parquet(unified / "tables" / "edges.parquet")
    assert "no linked pairs and none in the review band" in waage("small").output


def test_a_german_sheet_has_semicolons(unified):
    settings = unified / "study.yaml"
    settings.write_text(settings.read_text().replace("language: en", "language: de"))
    assert waage("small").exit_code == 0
    assert (unified / "review" / "pairs.csv").read_text(encoding="utf-8-sig").startswith("pair_id;stratum;verdict;")
