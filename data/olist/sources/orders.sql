-- An order belongs to a person (customer_unique_id); customer_id is new with every order. 775 orders, most of them cancelled, have no
-- items: their value is 0. Times are those of Brasilia.
WITH items AS (
  SELECT order_id, sum(price::DECIMAL(18, 4)) AS revenue
  FROM read_csv('${raw}/olist_order_items_dataset.csv', all_varchar = true)
  GROUP BY ALL
)
SELECT
  'olist' AS source,
  o.order_id,
  c.customer_unique_id AS source_id,
  timezone('UTC', timezone('America/Sao_Paulo', o.order_purchase_timestamp::TIMESTAMP)) AS ordered_at,
  'online' AS channel,
  coalesce(i.revenue, 0) AS revenue,
  CASE
    WHEN o.order_status IN ('canceled', 'unavailable') THEN 'cancelled'
    WHEN o.order_status IN ('shipped', 'delivered') THEN 'shipped'
    ELSE 'placed'
  END AS status
FROM read_csv('${raw}/olist_orders_dataset.csv', all_varchar = true) o
LEFT JOIN read_csv('${raw}/olist_customers_dataset.csv', all_varchar = true) c USING (customer_id)
LEFT JOIN items i USING (order_id)
