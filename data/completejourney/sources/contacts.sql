-- Every household listed received the campaign; there is no held-out control.
SELECT
  c.campaign_id,
  'card' AS source,
  c.household_id AS source_id,
  d.start_date AS contacted_at,
  1 AS treated
FROM '${raw}/campaigns.parquet' c
JOIN '${raw}/campaign_descriptions.parquet' d USING (campaign_id)
