"""How the server does under load and under attack: `python -m tools.serve.load` and `python -m tools.serve.hostile`."""
