-- A product occurs once in a basket, so it numbers the lines. 8,869 lines have quantity 0 and 4,836 a product that
-- is not in the product list: both are kept.
SELECT
  'card' AS source,
  t.basket_id AS order_id,
  t.product_id AS line,
  t.product_id,
  coalesce(p.product_category, p.department) AS category,
  p.brand,
  t.quantity,
  t.sales_value AS revenue
FROM '${raw}/transactions.parquet' t
LEFT JOIN '${raw}/products.parquet' p USING (product_id)
