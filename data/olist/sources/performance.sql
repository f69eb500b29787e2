-- Orders and demand of a group's week. Nobody knows the visits: they are set to the orders, so that conversion is 1 and
-- effects on visits are effects on orders. late_share: of the orders that were delivered in the week, the share that
-- came after the day that was promised; it moves the stars, and busy weeks move it.
WITH names AS (
  SELECT p.product_id, CASE
      WHEN t.name IN ('bed_bath_table', 'home_confort', 'home_comfort_2') THEN 'home_textiles'
      WHEN t.name IN ('health_beauty', 'perfumery', 'diapers_and_hygiene') THEN 'beauty'
      WHEN t.name = 'sports_leisure' THEN 'sports'
      WHEN regexp_matches(t.name, 'furniture') THEN 'furniture'
      WHEN regexp_matches(t.name, 'computer|telephon|electronic|console|audio|tablet|pc_gamer|cine_photo') THEN 'electronics'
      WHEN regexp_matches(t.name, 'housewares|appliances|air_condition|la_cuisine') THEN 'housewares'
      WHEN regexp_matches(t.name, 'fashio|watches|luggage') THEN 'fashion'
      WHEN regexp_matches(t.name, '^auto$|garden|const?ruction|signaling|security') THEN 'auto_tools'
      WHEN t.name IN ('baby', 'toys') THEN 'baby_toys'
      WHEN regexp_matches(t.name, 'book|stationery|cool_stuff|music|dvd|party|christmas|^art') THEN 'leisure'
      ELSE 'other'
    END AS category
  FROM read_csv('${raw}/olist_products_dataset.csv', all_varchar = true) p
  LEFT JOIN (
    SELECT product_category_name, product_category_name_english AS name
    FROM read_csv('${raw}/product_category_name_translation.csv', all_varchar = true)
  ) t USING (product_category_name)
),
sold AS (
  SELECT
    coalesce(n.category, 'other') AS unit,
    o.order_id,
    o.order_purchase_timestamp::TIMESTAMP AS bought,
    o.order_delivered_customer_date::TIMESTAMP AS delivered,
    o.order_estimated_delivery_date::TIMESTAMP AS promised,
    sum(i.price::DECIMAL(18, 4)) AS demand
  FROM read_csv('${raw}/olist_order_items_dataset.csv', all_varchar = true) i
  JOIN read_csv('${raw}/olist_orders_dataset.csv', all_varchar = true) o USING (order_id)
  LEFT JOIN names n USING (product_id)
  GROUP BY ALL
),
weeks AS (
  SELECT unit, date_trunc('week', bought)::DATE AS week, count(*) AS orders, sum(demand) AS demand
  FROM sold
  GROUP BY ALL
),
late AS (
  SELECT unit, date_trunc('week', delivered)::DATE AS week, avg((delivered::DATE > promised::DATE)::INTEGER) AS late_share
  FROM sold
  WHERE delivered IS NOT NULL
  GROUP BY ALL
)
SELECT unit, week, orders AS visits, orders, demand, late_share
FROM weeks
LEFT JOIN late USING (unit, week)
WHERE week BETWEEN DATE '2017-01-30' AND DATE '2018-08-20'
