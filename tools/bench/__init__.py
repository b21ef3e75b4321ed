"""Benchmarks: timings of this machine, written down with how they were taken, and never asserted."""
