-- Three surveys, one row an answer. ix: anonymous visitors of the whole shop; feedback: at touchpoints, with the web
-- account where the visitor was logged in; typology: the panel's wide export, by web account where it is given.
-- What was not answered has no row; the codes for "no answer" stay and are declared in items.
WITH feedback AS (
  SELECT
    feedback_id AS response_id,
    touchpoint,
    given_at::TIMESTAMP AS responded_at,
    language,
    stars::DOUBLE AS stars,
    string_split(reasons, '|') AS reasons,
    comment,
    CASE WHEN web_id IS NOT NULL THEN 'web' END AS source,
    web_id AS source_id
  FROM read_csv('${raw}/feedback.csv', header = true, all_varchar = true)
),
panel AS (
  SELECT
    * REPLACE (responded_at::TIMESTAMP AS responded_at),
    CASE WHEN web_id IS NULL THEN 'panel' ELSE 'web' END AS source,
    coalesce(web_id, response_id) AS source_id
  FROM read_csv('${raw}/survey_panel.csv', header = true, all_varchar = true)
),
panel_answers AS (
  UNPIVOT (
    SELECT
      response_id, source, source_id, responded_at,
      COLUMNS('^(q\d\d|m\d_(best|worst)|age_group|gender|household_size|occupation|comment)$')
    FROM panel
  )
  ON COLUMNS(* EXCLUDE (response_id, source, source_id, responded_at))
  INTO NAME item VALUE answer
)
SELECT
  'ix' AS instrument,
  response_id,
  item,
  value::DOUBLE AS value,
  NULL::VARCHAR AS text,
  NULL::VARCHAR AS source,
  NULL::VARCHAR AS source_id,
  unit,
  NULL::VARCHAR AS touchpoint,
  responded_at
FROM (
  UNPIVOT '${raw}/ix_responses.parquet'
  ON find, ease, information, trust, inspiration, attained, effort, progress
  INTO NAME item VALUE value
)
UNION ALL
SELECT 'ix', response_id, item, NULL, text, NULL, NULL, unit, NULL, responded_at
FROM (
  UNPIVOT '${raw}/ix_responses.parquet' ON visitor, intent, channel INTO NAME item VALUE text
)
UNION ALL
SELECT 'feedback', response_id, 'stars', stars, NULL, source, source_id, NULL, touchpoint, responded_at FROM feedback
UNION ALL
SELECT
  'feedback',
  response_id,
  'reason_' || reason,
  list_contains(reasons, reason)::INTEGER,
  NULL,
  source,
  source_id,
  NULL,
  touchpoint,
  responded_at
FROM feedback, unnest(['delivery', 'price', 'search', 'returns', 'staff', 'app']) AS all_reasons (reason)
UNION ALL
SELECT 'feedback', response_id, item, NULL, text, source, source_id, NULL, touchpoint, responded_at
FROM (
  UNPIVOT feedback ON comment, language INTO NAME item VALUE text
)
UNION ALL
SELECT
  'typology',
  response_id,
  item,
  CASE WHEN regexp_matches(item, '^q\d\d$') THEN answer::DOUBLE END,
  CASE WHEN NOT regexp_matches(item, '^q\d\d$') THEN answer END,
  source,
  source_id,
  NULL,
  NULL,
  responded_at
FROM panel_answers
