"""Graphs as ONNX: the operators written, files with what they say about themselves, and such files read again."""
