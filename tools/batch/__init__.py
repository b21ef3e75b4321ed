"""Batch work, tried out: killed at random, and measured; what came of it is in BATCH.md."""
