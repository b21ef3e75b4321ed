"""What this project is called where it is installed, its version, and how its extras are installed; imports nothing."""

from __future__ import annotations

PROJECT = "darknet-compiler"  # our distribution: what pip installs, with the extras in setup.cfg
VERSION = "0.1.0"


def requirement(extra: str = "") -> str:
    """The package with an extra, as `pip install` takes it: from the checkout that it runs from, where it does.

    >>> requirement("plot") in ("'darknet-compiler[plot]'", f"-e '{_checkout() or ''}[plot]'")
    True
    """
    extras = f"[{extra}]" if extra else ""
    checkout = _checkout()
    return f"-e '{checkout}{extras}'" if checkout else f"'{PROJECT}{extras}'" if extras else PROJECT


def _checkout() -> str:
    """The checkout that this package runs from, from here: `.` in it; empty where it is installed."""
    from pathlib import Path

    root = Path(__file__).resolve().parents[1]
    if not (root / "setup.cfg").is_file():
        return ""
    return "." if root == Path.cwd() else str(root)
