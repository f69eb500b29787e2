from waage.unify import events_of_persons, gather, unlinked


def test_all_ids_are_gathered_once_and_devices_only_for_known_ones(duck):
    orders = duck.sql("SELECT * FROM (VALUES ('shop', '1'), ('shop', '1'), ('till', NULL)) o(source, source_id)")
    identities = duck.sql(
        "SELECT 'app' AS source, unnest(['a', 'b']) AS source_id, NULL::VARCHAR AS email, 'd9' AS device_id"
    )
    events = duck.sql("""SELECT * FROM (VALUES
        ('shop', '1', 'd1'), ('shop', '1', 'd1'), ('shop', NULL, 'd1'), ('shop', '1', NULL), ('shop', '7', 'd7'))
        e(source, source_id, device_id)""")
    records, ids = gather(orders, identities, events)
    assert sorted(map(tuple, ids.execute().to_numpy())) == [("app", "a"), ("app", "b"), ("shop", "1")]
    assert records.columns == identities.columns
    found = records.execute()[["source", "source_id", "device_id"]]
    assert sorted(map(tuple, found.to_numpy())) == [("app", "a", "d9"), ("app", "b", "d9"), ("shop", "1", "d1")]
    only, same = gather(orders)
    assert only.execute().to_numpy().tolist() == same.execute().to_numpy().tolist() == [["shop", "1"]]


def test_events_without_login_belong_to_the_only_person_of_their_device(duck):
    people = duck.sql("""SELECT * FROM (VALUES ('web', '1', 'P'), ('app', 'a', 'P'), ('web', '2', 'Q'))
        p(source, source_id, person_id)""")
    events = duck.sql("""SELECT * FROM (VALUES
        (1, 'web', '1', 'mine'), (2, 'app', 'a', 'mine'), (3, 'web', NULL, 'mine'), (4, 'web', NULL, NULL),
        (5, 'web', '1', 'shared'), (6, 'web', '2', 'shared'), (7, 'web', NULL, 'shared'), (8, 'web', '9', 'mine'))
        e(event_id, source, source_id, device_id)""")
    found = events_of_persons(events, people).order_by("event_id").execute()
    assert found["person_id"].fillna("-").tolist() == ["P", "P", "P", "-", "P", "Q", "-", "P"]
    assert found["by_device"].tolist() == [False, False, True, False, False, False, False, True]


def test_what_no_person_can_be_given_to(duck):
    people = duck.sql("SELECT 's' AS source, '1' AS source_id, 'P' AS person_id")
    answers = duck.sql("SELECT 's' AS source, unnest(['1', '2', NULL]) AS source_id")
    assert unlinked(answers, people) == (2, 1)
