-- Lines know their order's number only; its source is looked up. An order exported twice is looked up once.
WITH orders AS (
  SELECT
    order_no,
    min(CASE WHEN account_no IS NULL THEN 'guest' ELSE channel END) AS source,
    max(is_test) AS is_test
  FROM read_csv('${raw}/orders_online.csv', all_varchar = true, header = true, delim = ',')
  GROUP BY order_no
  UNION ALL
  SELECT
    receipt_no,
    CASE WHEN card_no IS NOT NULL THEN 'card' WHEN ereceipt_email IS NOT NULL THEN 'ereceipt' ELSE 'pos' END,
    '0'
  FROM read_csv('${raw}/pos_receipts.csv', all_varchar = true, header = true, delim = ';')
)
SELECT
  o.source,
  l.order_no AS order_id,
  CAST(l.position AS VARCHAR) AS line,
  CAST(l.product_no AS VARCHAR) AS product_id,
  l.category,
  l.brand,
  l.quantity,
  l.net_value AS revenue,
  l.seller,
  l.margin,
  CASE WHEN o.is_test = '1' THEN 'test order' END AS quarantine_reason
FROM '${raw}/order_lines.parquet' l
LEFT JOIN orders o USING (order_no)
