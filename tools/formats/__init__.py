"""Every golden network in every format that runs here, and the table of what became of each."""
