"""What is fuzzed: one file a target, found by its name."""
