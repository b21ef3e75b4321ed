"""Endless rendered pictures of barcodes and matrix codes with exact boxes, and the training on them."""
