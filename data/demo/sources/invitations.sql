-- IX: by day and unit. Feedback: by day and touchpoint; the export lists it in parts, so they are added up.
SELECT
  'ix' AS instrument,
  day,
  unit,
  invited::BIGINT AS invited,
  started::BIGINT AS started,
  completed::BIGINT AS completed
FROM read_csv('${raw}/invitations.csv', header = true, all_varchar = true)
UNION ALL
SELECT 'feedback', day, touchpoint, sum(invited::BIGINT)::BIGINT, NULL, sum(completed::BIGINT)::BIGINT
FROM read_csv('${raw}/feedback_invitations.csv', header = true, all_varchar = true)
GROUP BY day, touchpoint
