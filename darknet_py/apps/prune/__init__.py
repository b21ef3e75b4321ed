"""Channels of a network that matter least, taken out of its cfg and weights."""
