-- What is handed in at a store without a receipt has no order number: it belongs to the tills ('pos') and to no order.
WITH orders AS (
  SELECT order_no, min(CASE WHEN account_no IS NULL THEN 'guest' ELSE channel END) AS source
  FROM read_csv('${raw}/orders_online.csv', all_varchar = true, header = true, delim = ',')
  GROUP BY order_no
  UNION ALL
  SELECT
    receipt_no,
    CASE WHEN card_no IS NOT NULL THEN 'card' WHEN ereceipt_email IS NOT NULL THEN 'ereceipt' ELSE 'pos' END
  FROM read_csv('${raw}/pos_receipts.csv', all_varchar = true, header = true, delim = ';')
)
SELECT
  coalesce(o.source, 'pos') AS source,
  r.return_no AS return_id,
  r.booked_at AS returned_at,
  r.amount,
  r.order_no AS order_id,
  r.position AS line,
  r.product_no AS product_id,
  r.quantity,
  r.reason
FROM read_csv('${raw}/returns.csv', all_varchar = true, header = true, delim = ',') r
LEFT JOIN orders o USING (order_no)
