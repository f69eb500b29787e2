-- Shop and tills. An order with an account has its source's name, one without has 'guest' and its own customer columns
-- (see identities.sql); a receipt has a card, an e-mail for the receipt, or nothing ('pos').
SELECT
  CASE WHEN account_no IS NULL THEN 'guest' ELSE channel END AS source,
  order_no AS order_id,
  coalesce(account_no, 'G' || order_no) AS source_id,
  ordered_at,
  channel,
  total AS revenue,
  status,
  discount,
  device,
  coupon AS coupon_code,
  NULL AS store_id,
  CASE WHEN is_test = '1' THEN 'test order' END AS quarantine_reason
FROM read_csv('${raw}/orders_online.csv', all_varchar = true, header = true, delim = ',')
UNION ALL
SELECT
  CASE WHEN card_no IS NOT NULL THEN 'card' WHEN ereceipt_email IS NOT NULL THEN 'ereceipt' ELSE 'pos' END,
  receipt_no,
  coalesce(card_no, ereceipt_email),
  strftime(strptime(time, '%d.%m.%Y %H:%M'), '%Y-%m-%d %H:%M:%S'),
  'store',
  replace(total, ',', '.'),
  'shipped',
  replace(discount, ',', '.'),
  NULL,
  NULL,
  store,
  NULL
FROM read_csv('${raw}/pos_receipts.csv', all_varchar = true, header = true, delim = ';')
