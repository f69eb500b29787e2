-- Panel units of the experience measurement: assortment x device.
SELECT unit, label, category, device FROM read_csv('${raw}/units.csv', header = true, all_varchar = true)
