"""`make bench`: every benchmark, one after the other. Figures are ratios of two things run side by side."""

from benchmarks import assignment, clv, clv_histories, demo, identity, ingest, rfm, types

for benchmark in (clv, clv_histories, ingest, demo, identity, rfm, types, assignment):
    print(f"\n{benchmark.__name__}: {benchmark.__doc__.splitlines()[0]}")
    benchmark.main()
