SELECT
  campaign_id,
  campaign_type AS name,
  'mail' AS channel,
  start_date AS starts_at,
  end_date AS ends_at,
  'coupons' AS incentive
FROM '${raw}/campaign_descriptions.parquet'
