"""The fuzzer: `python -m tools.fuzz TARGET --seeds A:B` (tools/docs/fuzzing.md).

Decision: an input is a function of its target and a number, the seed. So a run is a range of numbers, what is done is a
list of ranges, and one number says again what went wrong.
"""
