"""The version, alone in its file so that reading it imports nothing."""

VERSION = "0.1.0"
