"""`anchors` and `check`: a data set against the cfg that will be trained on it."""
