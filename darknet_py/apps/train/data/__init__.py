"""What a network sees in training: labelled pictures, changed by chance as Darknet changes them."""
