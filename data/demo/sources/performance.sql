-- A unit's week of the whole shop (demand: EUR ordered). price_index, promo and marketing_spend are controls.
SELECT
  unit,
  week,
  visits,
  orders,
  demand,
  tracking_share,
  price_index::DOUBLE AS price_index,
  promo::DOUBLE AS promo,
  marketing_spend::DOUBLE AS marketing_spend
FROM read_csv('${raw}/performance.csv', header = true, all_varchar = true)
