-- What each system knows of a person. Local times; the app writes UTC. A guest order is an identity of its own, and so
-- is the e-mail address an e-receipt went to.
WITH accounts AS (
  SELECT *
  FROM read_csv('${raw}/webshop_accounts.csv', all_varchar = true, header = true, delim = ',')
),
cards AS (
  SELECT *
  FROM read_csv('${raw}/loyalty_cards.csv', all_varchar = true, header = true, delim = ';', encoding = 'latin-1')
),
newsletter AS (
  SELECT *
  FROM read_json(
    '${raw}/newsletter.jsonl',
    format = 'newline_delimited',
    columns = {subscriber_id: 'VARCHAR', email: 'VARCHAR', first_name: 'VARCHAR', last_name: 'VARCHAR',
      subscribed_at: 'VARCHAR', form: 'VARCHAR'}
  )
),
guests AS (
  SELECT *
  FROM read_csv('${raw}/orders_online.csv', all_varchar = true, header = true, delim = ',')
  WHERE account_no IS NULL
),
receipts AS (
  SELECT ereceipt_email, strftime(min(strptime(time, '%d.%m.%Y %H:%M')), '%Y-%m-%d %H:%M:%S') AS first_at
  FROM read_csv('${raw}/pos_receipts.csv', all_varchar = true, header = true, delim = ';')
  WHERE card_no IS NULL AND ereceipt_email IS NOT NULL
  GROUP BY ereceipt_email
),
panel AS (
  SELECT *
  FROM read_csv('${raw}/survey_panel.csv', all_varchar = true, header = true, delim = ',')
)
SELECT
  'web' AS source,
  account_no AS source_id,
  updated_at,
  created_at,
  salutation,
  first_name,
  last_name,
  email,
  phone,
  street,
  postcode,
  city,
  country,
  birth_date,
  CASE salutation WHEN 'Frau' THEN 'f' WHEN 'Herr' THEN 'm' END AS gender,
  loyalty_card_no AS loyalty_id,
  NULL AS device_id,
  account_type,
  acquisition_channel,
  CASE WHEN account_no LIKE 'TEST%' THEN 'test account' END AS quarantine_reason
FROM accounts
UNION ALL BY NAME
SELECT
  'card' AS source,
  Kartennummer AS source_id,
  strftime(strptime(Geaendert, '%d.%m.%Y %H:%M:%S'), '%Y-%m-%d %H:%M:%S') AS updated_at,
  strftime(strptime(Ausgabe, '%d.%m.%Y'), '%Y-%m-%d') AS created_at,
  Anrede AS salutation,
  Vorname AS first_name,
  Nachname AS last_name,
  EMail AS email,
  Telefon AS phone,
  Strasse AS street,
  PLZ AS postcode,
  Ort AS city,
  strftime(strptime(Geburtsdatum, '%d.%m.%Y'), '%Y-%m-%d') AS birth_date,
  CASE Anrede WHEN 'Frau' THEN 'f' WHEN 'Herr' THEN 'm' END AS gender,
  Kartennummer AS loyalty_id
FROM cards
UNION ALL BY NAME
SELECT
  'news' AS source,
  subscriber_id AS source_id,
  replace(subscribed_at, 'T', ' ') AS updated_at,
  replace(subscribed_at, 'T', ' ') AS created_at,
  first_name,
  last_name,
  email,
  form AS acquisition_channel
FROM newsletter
UNION ALL BY NAME
SELECT
  'app' AS source,
  profile_id AS source_id,
  strftime(updated_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%SZ') AS updated_at,
  strftime(created_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%SZ') AS created_at,
  first_name,
  last_name,
  email,
  phone,
  street,
  postcode,
  city,
  strftime(birth_date, '%Y-%m-%d') AS birth_date,
  loyalty_card AS loyalty_id,
  device_id
FROM '${raw}/app_profiles.parquet'
UNION ALL BY NAME
SELECT
  'guest' AS source,
  'G' || order_no AS source_id,
  ordered_at AS updated_at,
  ordered_at AS created_at,
  guest_first_name AS first_name,
  guest_last_name AS last_name,
  guest_email AS email,
  guest_phone AS phone,
  guest_street AS street,
  guest_postcode AS postcode,
  guest_city AS city
FROM guests
UNION ALL BY NAME
SELECT 'ereceipt' AS source, ereceipt_email AS source_id, first_at AS updated_at, ereceipt_email AS email
FROM receipts
UNION ALL BY NAME
SELECT
  'panel' AS source,
  response_id AS source_id,
  responded_at AS updated_at,
  first_name,
  last_name,
  email,
  phone,
  street,
  postcode,
  city,
  birth_date
FROM panel
