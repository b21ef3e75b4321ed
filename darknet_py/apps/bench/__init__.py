"""Timings that can be compared: contestants in processes of their own, rounds interleaved, the machine's own bounds."""
