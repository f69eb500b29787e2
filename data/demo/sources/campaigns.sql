SELECT campaign_id, name, channel, starts_at, ends_at, incentive, cost
FROM read_csv('${raw}/campaigns.csv', all_varchar = true, header = true, delim = ',')
