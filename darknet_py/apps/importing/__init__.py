"""ONNX files of networks that Darknet could have, made into a cfg and weights."""
