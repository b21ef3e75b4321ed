"""onnxruntime: sessions of graphs, in its own blocked layout where that pays, and of files."""
