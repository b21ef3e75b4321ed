"""What this project is called where it is installed, and its version, in a file that imports nothing."""

PROJECT = "darknet-compiler"  # our distribution: what pip installs, with the extras in setup.cfg
VERSION = "0.1.0"
