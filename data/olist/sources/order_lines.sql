-- A line is a piece. Categories are brought together in eleven groups, which are the units of the experience as well.
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
)
SELECT
  'olist' AS source,
  i.order_id,
  i.order_item_id AS line,
  i.product_id,
  coalesce(n.category, 'other') AS category,
  1 AS quantity,
  i.price::DECIMAL(18, 4) AS revenue,
  'partner' AS seller
FROM read_csv('${raw}/olist_order_items_dataset.csv', all_varchar = true) i
LEFT JOIN names n USING (product_id)
