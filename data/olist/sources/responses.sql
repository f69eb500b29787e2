-- A review may be of several orders and an order may have two: the pair is the answer. Its unit is the group of the most expensive line.
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
units AS (
  SELECT i.order_id, coalesce(arg_max(n.category, (i.price::DOUBLE, -i.order_item_id::INTEGER)), 'other') AS unit
  FROM read_csv('${raw}/olist_order_items_dataset.csv', all_varchar = true) i
  LEFT JOIN names n USING (product_id)
  GROUP BY ALL
),
reviews AS (
  SELECT
    r.review_id || '-' || r.order_id AS response_id,
    c.customer_unique_id AS source_id,
    coalesce(u.unit, 'other') AS unit,  -- orders without items
    timezone('UTC', timezone('America/Sao_Paulo', r.review_answer_timestamp::TIMESTAMP)) AS responded_at,
    r.review_score,
    r.review_comment_message,
    r.review_comment_title
  FROM read_csv('${raw}/olist_order_reviews_dataset.csv', all_varchar = true) r
  LEFT JOIN read_csv('${raw}/olist_orders_dataset.csv', all_varchar = true) o USING (order_id)
  LEFT JOIN read_csv('${raw}/olist_customers_dataset.csv', all_varchar = true) c USING (customer_id)
  LEFT JOIN units u USING (order_id)
)
SELECT 'feedback' AS instrument, response_id, 'score' AS item, review_score::DOUBLE AS value, NULL::VARCHAR AS text,
  'olist' AS source, source_id, unit, responded_at
FROM reviews
UNION ALL
SELECT 'feedback', response_id, 'comment', NULL, review_comment_message, 'olist', source_id, unit, responded_at
FROM reviews
WHERE review_comment_message IS NOT NULL
UNION ALL
SELECT 'feedback', response_id, 'title', NULL, review_comment_title, 'olist', source_id, unit, responded_at
FROM reviews
WHERE review_comment_title IS NOT NULL
