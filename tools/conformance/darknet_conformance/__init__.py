"""What Darknet computes, as cases for any program that reads its files: `python -m darknet_conformance COMMAND…`.

This package needs Python and NumPy, and nothing of darknet-py. Its cases are data, in the folder `data`.
"""
