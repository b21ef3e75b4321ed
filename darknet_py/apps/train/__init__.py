"""`train`: a cfg, labelled pictures and PyTorch make the `.weights` that Darknet would have made."""
