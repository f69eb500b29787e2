-- The demographics of 801 households, one answer a trait. They carry no date; the extract's last day stands for it.
UNPIVOT (
  SELECT
    'demographics' AS instrument,
    household_id AS response_id,
    'card' AS source,
    household_id AS source_id,
    DATE '2017-12-31' AS responded_at,
    age, income, home_ownership, marital_status, household_size, household_comp, kids_count
  FROM '${raw}/demographics.parquet'
)
ON age, income, home_ownership, marital_status, household_size, household_comp, kids_count
INTO NAME item VALUE text
