"""The executors: what runs a graph, each in its own module, all behind `open_session`."""
