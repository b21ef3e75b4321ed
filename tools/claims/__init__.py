"""The claims of the CSPNet paper, measured: `make claims` writes `cfgs/CLAIMS.md`.

What can be computed is computed from the cfgs, what has to be trained is trained on drawn pictures, and what was
expected stands in PREDICTIONS.md since before anything was run.
"""
