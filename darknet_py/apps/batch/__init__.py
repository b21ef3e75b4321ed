"""Batch work: a network on any number of pictures, in shards, each of them computed once whatever is killed."""
