"""The paper's CPU experiment, Table 5: `python -m tools.bench.table5` writes RESULTS.md."""
