-- What changed the experience for a known reason. An empty unit means all units, an empty end a release.
SELECT incident_id, started_at, ended_at, unit, kind
FROM read_csv('${raw}/incidents.csv', header = true, all_varchar = true)
