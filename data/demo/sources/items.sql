-- The codebooks of the IX survey and of the typology panel as they come, and the feedback form's items.
SELECT
  'ix' AS instrument, item, kind, construct, label, label_de, scale_min, scale_max, best, missing_codes
FROM read_csv('${raw}/ix_items.csv', header = true, all_varchar = true)
UNION ALL
SELECT 'typology', item, kind, construct, label, label_de, scale_min, scale_max, best, missing_codes
FROM read_csv('${raw}/survey_items.csv', header = true, all_varchar = true)
UNION ALL
SELECT 'feedback', item, kind, construct, label, label_de, scale_min, scale_max, best, NULL
FROM (
  VALUES
    ('stars', 'scale', 'satisfaction', 'Stars', 'Sterne', '1', '5', 'max'),
    ('reason_delivery', 'binary', 'reason', 'Reason: delivery', 'Grund: Lieferung', NULL, NULL, NULL),
    ('reason_price', 'binary', 'reason', 'Reason: price', 'Grund: Preis', NULL, NULL, NULL),
    ('reason_search', 'binary', 'reason', 'Reason: search and choice', 'Grund: Suche und Auswahl', NULL, NULL, NULL),
    ('reason_returns', 'binary', 'reason', 'Reason: returns', 'Grund: Rückgabe', NULL, NULL, NULL),
    ('reason_staff', 'binary', 'reason', 'Reason: staff and service', 'Grund: Personal und Service', NULL, NULL, NULL),
    ('reason_app', 'binary', 'reason', 'Reason: app', 'Grund: App', NULL, NULL, NULL),
    ('comment', 'comment', NULL, 'Comment', 'Kommentar', NULL, NULL, NULL),
    ('language', 'trait', NULL, 'Language', 'Sprache', NULL, NULL, NULL)
) AS form (item, kind, construct, label, label_de, scale_min, scale_max, best)
