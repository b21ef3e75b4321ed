"""How old the frames of a live source are, and what a long file takes: `python -m tools.bench.video`."""
