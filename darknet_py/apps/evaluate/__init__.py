"""`eval`: a network on labelled pictures."""
