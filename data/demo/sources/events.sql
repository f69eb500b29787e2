-- Trackers count milliseconds since 1970 in UTC; an account is there only for who was logged in. A product number
-- has its assortment in it (10000 to 10249: the first, and so on).
SELECT
  event_id,
  system AS source,
  account AS source_id,
  to_timestamp(ts / 1000.0) AS occurred_at,
  event,
  session_id,
  device_id,
  device,
  product_no AS product_id,
  ['women', 'men', 'kids', 'home', 'furniture', 'electronics', 'beauty', 'sports'][(product_no - 10000) // 250 + 1]
    AS category,
  CASE system WHEN 'news' THEN 'email' ELSE system END AS channel
FROM '${raw}/events.parquet'
