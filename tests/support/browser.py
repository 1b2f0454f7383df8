"""Pages as a reader's browser shows them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser() -> str | None:
    """The Chromium named in TEASEL_BROWSER, or one on the PATH."""
    return os.environ.get("TEASEL_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


def look(
    browser: str, address: str, folder: Path, *wanted: str, width: int = 1200, budget: int = 5000
) -> subprocess.CompletedProcess:
    """What a page leaves after so many milliseconds of its own time.

    Args:
        browser: a Chromium.
        address: of the page.
        folder: for the browser's profile.
        wanted: further options, such as `--dump-dom`.
        width: of the window.
        budget: of virtual time; none with 0, and then the page's load event ends it.
    """
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    options += ["--enable-unsafe-swiftshader", "--use-angle=swiftshader", "--enable-logging=stderr"]
    options += [f"--window-size={width},900", f"--user-data-dir={folder / 'profile'}", *wanted]
    options += [f"--virtual-time-budget={budget}"] if budget else []
    command = [browser, *options, address]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def attribute(seen: subprocess.CompletedProcess, name: str) -> str:
    """What a page put into an attribute `data-...` of its body."""
    return re.search(rf'<body[^>]* data-{name}="([^"]*)"', seen.stdout)[1]  # type: ignore[index]
