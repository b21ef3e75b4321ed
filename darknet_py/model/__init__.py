"""A network with everything around it: pictures in, results out."""
