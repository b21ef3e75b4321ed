"""A graph as Core ML has it: a program of MIL, and a package around it."""
