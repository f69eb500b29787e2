-- A basket is an order. sales_value is what the retailer receives after discounts; 478 baskets come to zero.
-- Coupons are known by household and day. Where one basket of that day has a coupon discount, the codes are its own
-- (1,889 of 2,102 redemptions).
WITH baskets AS (
  SELECT
    basket_id,
    household_id,
    store_id,
    transaction_timestamp AS paid_at,
    CAST(timezone('America/New_York', timezone('UTC', transaction_timestamp)) AS DATE) AS day,
    sum(sales_value::DECIMAL(18, 4)) AS revenue,
    sum((retail_disc + coupon_disc + coupon_match_disc)::DECIMAL(18, 4)) AS discount,
    sum((coupon_disc + coupon_match_disc)::DECIMAL(18, 4)) > 0 AS has_coupon
  FROM '${raw}/transactions.parquet'
  GROUP BY ALL
),
redemptions AS (
  SELECT household_id, redemption_date::DATE AS day, string_agg(coupon_upc::VARCHAR, ' ' ORDER BY coupon_upc) AS codes
  FROM '${raw}/coupon_redemptions.parquet'
  GROUP BY ALL
),
coupon_baskets AS (
  SELECT household_id, day, any_value(basket_id) AS basket_id
  FROM baskets
  WHERE has_coupon
  GROUP BY ALL
  HAVING count(*) = 1
)
SELECT
  'card' AS source,
  b.basket_id AS order_id,
  b.household_id AS source_id,
  timezone('UTC', b.paid_at) AS ordered_at,
  'store' AS channel,
  b.revenue,
  'placed' AS status,
  b.discount,
  r.codes AS coupon_code,
  b.store_id
FROM baskets b
LEFT JOIN coupon_baskets c ON c.basket_id = b.basket_id
LEFT JOIN redemptions r ON r.household_id = c.household_id AND r.day = c.day
