-- Acts of consent, one system each; an empty channel means all channels of the purpose.
SELECT source, source_id, purpose, channel, changed_at, status, contact_point, legal_basis
FROM read_csv('${raw}/consents.csv', all_varchar = true, header = true, delim = ',')
