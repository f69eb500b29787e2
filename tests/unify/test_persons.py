import pandas as pd

from waage.unify import coverage, identity_map, persons, plot_coverage, unlinked


def test_one_person_for_each_id_of_each_source(duck):
    orders = duck.sql("""SELECT * FROM (VALUES ('shop', '1'), ('shop', '1'), ('till', '1'), ('shop', NULL))
                         o(source, source_id)""")
    identities = duck.sql("SELECT 'news' AS source, 'a@b.de' AS source_id")
    people = identity_map(orders, identities).execute()
    assert sorted(zip(people["source"], people["source_id"], strict=True)) == [
        ("news", "a@b.de"),
        ("shop", "1"),
        ("till", "1"),
    ]
    assert people["person_id"].is_unique and not people["person_id"].str.contains("@").any()
    again = identity_map(orders.order_by("source"), identities).execute()
    assert dict(zip(people["source"], people["person_id"], strict=True)) == dict(
        zip(again["source"], again["person_id"], strict=True)
    )


def test_ids_cannot_run_into_each_other(duck):
    orders = duck.sql("SELECT * FROM (VALUES ('a', 'bc'), ('ab', 'c')) o(source, source_id)")
    assert identity_map(orders).execute()["person_id"].nunique() == 2


def test_a_person_is_the_newest_row_of_its_source(duck):
    identities = duck.sql("""SELECT * FROM (VALUES
        ('shop', '1', TIMESTAMP '2024-01-01', 'old@x.de'), ('shop', '1', TIMESTAMP '2024-05-01', 'new@x.de'),
        ('shop', '1', NULL, 'undated@x.de')) i(source, source_id, updated_at, email)""")
    orders = duck.sql("SELECT 'shop' AS source, unnest(['1', '2']) AS source_id")
    got = persons(identity_map(orders, identities), identities).order_by("source_id").execute()
    assert got["source_id"].tolist() == ["1", "2"]
    assert got["email"][0] == "new@x.de" and pd.isna(got["email"][1])


def test_coverage_and_what_no_person_can_be_given_to(duck):
    orders = duck.sql("""SELECT person_id, day::DATE AS day, revenue::DECIMAL(18, 4) AS revenue FROM (VALUES
        ('a', '2024-01-05', 10), ('b', '2024-01-31', 5), (NULL, '2024-01-31', 1), ('a', '2024-02-01', 2))
        o(person_id, day, revenue)""")
    months = coverage(orders)
    assert months[["orders", "known", "demand", "persons"]].to_numpy().tolist() == [[3, 2, 16, 2], [1, 1, 2, 1]]
    axes = plot_coverage(months)
    assert axes.get_ylabel() == "orders a month" and len(axes.patches) == 4
    people = duck.sql("SELECT 's' AS source, '1' AS source_id, 'P' AS person_id")
    answers = duck.sql("SELECT 's' AS source, unnest(['1', '2', NULL]) AS source_id")
    assert unlinked(answers, people) == (2, 1)
