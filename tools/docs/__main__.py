"""`python -m tools.docs`: build the documentation site, .docs/html, with Sphinx; a warning is an error."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from .stage import HOME, ROOT, write_site

BUILT = ROOT / ".docs"


def build(folder: Path) -> int:
    """Build the site in `folder`/html from `folder`/source, and return Sphinx's exit status."""
    for name in ("source", "html"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "source").mkdir(parents=True)
    write_site(folder / "source")
    sphinx = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-c", str(ROOT / HOME)]
    places = ["-d", str(folder / "doctrees"), str(folder / "source"), str(folder / "html")]
    return subprocess.run([*sphinx, *places], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    status = build(BUILT)
    if status == 0:
        print(BUILT / "html" / "index.html")
    sys.exit(status)
