"""What goes into a network and what comes out of it, as plain data, and the decoding of boxes that it describes."""
