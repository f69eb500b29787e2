-- The shop's sessions of the last year by trait: what respondents of the IX survey are weighted to.
SELECT 'ix' AS instrument, trait, level, share
FROM read_csv('${raw}/reference_mix.csv', header = true, all_varchar = true)
