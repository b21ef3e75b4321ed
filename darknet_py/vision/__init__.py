"""Pictures in, from wherever they are, and results out, drawn and written."""
