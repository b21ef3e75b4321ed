"""darknet-py beside what a user would pick instead: `python -m tools.bench.performance` writes RESULTS.md."""
