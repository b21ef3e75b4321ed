"""Proofs about training, run by hand: `python -m tools.train.golden DIR…`."""
