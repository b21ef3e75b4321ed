"""ncnn: graphs as its own layers."""
