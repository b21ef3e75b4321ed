"""Checkpoints of other programs: read without executing anything, and turned into `.weights`."""
