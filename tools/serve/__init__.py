"""The server under load (`python -m tools.serve.load`), under attack (`.hostile`) and when it is stopped (`.stops`)."""
