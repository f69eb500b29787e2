-- What an order says of its person: the place it goes to. There are no names.
SELECT
  'olist' AS source,
  c.customer_unique_id AS source_id,
  timezone('UTC', timezone('America/Sao_Paulo', o.order_purchase_timestamp::TIMESTAMP)) AS updated_at,
  max(c.customer_zip_code_prefix) AS postcode,
  max(c.customer_city) AS city,
  'BR' AS country
FROM read_csv('${raw}/olist_customers_dataset.csv', all_varchar = true) c
JOIN read_csv('${raw}/olist_orders_dataset.csv', all_varchar = true) o USING (customer_id)
GROUP BY ALL
