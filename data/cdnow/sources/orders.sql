-- CDNOW_master.txt: customer, day, number of CDs, dollars, in columns of blanks. It has no order numbers, and
-- customers buy more than once a day, so the row number serves (customer and day would lose 2,068 rows).
WITH lines AS (
  SELECT
    unnest(generate_series(1, len(parts))) AS row_number,
    unnest(parts) AS line
  FROM (
    SELECT list_filter(string_split(replace(content, chr(13), ''), chr(10)), line -> trim(line) <> '') AS parts
    FROM read_text('${raw}/CDNOW_master.txt')
  )
),
fields AS (
  SELECT row_number, regexp_split_to_array(trim(line), '\s+') AS field FROM lines WHERE row_number > 1
)
SELECT
  'shop' AS source,
  printf('%06d', row_number - 1) AS order_id,
  field[1] AS source_id,
  strptime(field[2], '%Y%m%d') AS ordered_at,
  'online' AS channel,
  field[4] AS revenue
FROM fields
