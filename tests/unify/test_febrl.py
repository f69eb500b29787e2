"""Febrl's published data (Christen 2008), without the social security number that would make it trivial."""

import pandas as pd
import pytest

from waage.unify import normalise, resolve

from .scoring import Scores, connect, score


def records(folder, *names: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return identity rows (the second address line as an earlier row of the same id), and each id's true entity."""
    data = pd.concat([pd.read_parquet(folder / f"{name}.parquet") for name in names], ignore_index=True)
    text = data.apply(lambda column: column.astype("string").str.strip().replace("", pd.NA))
    rows = pd.DataFrame(
        {
            "source": "febrl",
            "source_id": text["rec_id"],
            "updated_at": pd.Timestamp("2020-01-01"),
            "first_name": text["given_name"],
            "last_name": text["surname"],
            "street": (text["street_number"].fillna("") + " " + text["address_1"].fillna("")).str.strip(),
            "postcode": text["postcode"],
            "city": text["suburb"],
            "birth_date": text["date_of_birth"],
        }
    )
    second = rows.assign(street=text["address_2"], updated_at=pd.Timestamp("2019-01-01"))[text["address_2"].notna()]
    entity = text["rec_id"].str.extract(r"rec-(\d+)")[0].set_axis(text["rec_id"])
    return pd.concat([rows, second], ignore_index=True), entity


@pytest.fixture
def scored(shared_data, tmp_path):
    def run(*names: str) -> Scores:
        folder = shared_data / "febrl"
        if not folder.is_dir():
            pytest.skip(f"Febrl's data sets are not in {folder}")
        rows, entity = records(folder, *(f"febrl_dataset{name}" for name in names))
        backend = connect(tmp_path / "spill")
        found = resolve(normalise(backend.create_table("identities", rows))).identity_map.execute()
        backend.disconnect()
        assert sorted(found["source_id"]) == sorted(entity.index)
        return score(found["person_id"], found["source_id"].map(entity))

    return run


@pytest.mark.slow
def test_febrl_4(scored):
    got = scored("4a", "4b")
    assert got.precision >= 0.999 and got.f1 >= 0.997, got


@pytest.mark.slow
def test_febrl_3(scored):
    got = scored("3")
    assert got.f1 >= 0.997 and got.bcubed >= 0.997 and got.largest <= got.true_largest + 1, got
