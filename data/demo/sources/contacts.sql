-- treated = 0: drawn for the campaign, then held out at random.
SELECT campaign_id, source, source_id, contacted_at, treated
FROM read_csv('${raw}/contacts.csv', all_varchar = true, header = true, delim = ',')
