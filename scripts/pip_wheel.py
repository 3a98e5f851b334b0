"""Fetch pip's own wheel: the same pip everywhere, also where Python came without one (no python3-venv).

Standard library only. The version and its SHA-256 are pinned here, so that it does not matter which mirror
answers. Index and certificates are the ones pip itself would use: environment first, then pip.conf.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import os
import re
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

PIP_VERSION = "26.3"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
WHEEL = f"pip-{PIP_VERSION}-py3-none-any.whl"
PUBLIC_INDEX = f"https://{'PyPI'.lower()}.org/simple"  # the Python package index: pip's own default
TIMEOUT_SECONDS = 60


class PipUnavailable(Exception):
    """No index gave us the pinned wheel; the text is a sentence for the person at the terminal."""


def fetch(folder: Path) -> Path:
    """Return the path of the verified wheel in `folder`, downloading it when it is not there yet."""
    wheel = folder / WHEEL
    if wheel.exists() and _sha256(wheel.read_bytes()) == PIP_SHA256:
        return wheel
    index = _setting("index-url") or PUBLIC_INDEX
    try:
        content = _download(index)
    except (OSError, ValueError) as reason:
        raise PipUnavailable(
            f"pip {PIP_VERSION} could not be fetched from the package index ({reason}). "
            "Check the network, or point PIP_INDEX_URL and PIP_CERT at your mirror; "
            "with Debian's python3-venv installed, the pip of that package is used instead."
        ) from reason
    if _sha256(content) != PIP_SHA256:
        raise PipUnavailable(
            f"The package index served a {WHEEL} whose SHA-256 is not the pinned one; it was not used."
        )
    folder.mkdir(parents=True, exist_ok=True)
    partial = wheel.with_suffix(".part")
    partial.write_bytes(content)
    partial.replace(wheel)  # a killed download leaves no half wheel under the final name
    return wheel


def _download(index: str) -> bytes:
    """Find the wheel on pip's page of the index, in JSON (PEP 691) or in HTML (PEP 503), and read it."""
    page_url = index.rstrip("/") + "/pip/"
    page = _get(page_url, accept="application/vnd.pypi.simple.v1+json, text/html;q=0.5").decode()
    # Both forms hold the address as a quoted string that ends in the file's name; HTML may add "#sha256=…".
    found = re.search(rf'"([^"]*/{re.escape(WHEEL)})["#]', page)
    if found is None:
        raise ValueError(f"it does not list {WHEEL}")
    return _get(urllib.parse.urljoin(page_url, found.group(1)), accept="*/*")


def _get(url: str, *, accept: str) -> bytes:
    parts = urllib.parse.urlsplit(url)
    headers = {"Accept": accept, "User-Agent": f"sightline-setup (pip {PIP_VERSION})"}
    if parts.username is not None:  # urllib does not send what stands before the @
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    certificates = _setting("cert")
    context = ssl.create_default_context(cafile=certificates) if certificates else None
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context) as answer:
            content: bytes = answer.read()
    except urllib.error.URLError as error:
        # Only the reason: the address may hold somebody's password.
        raise OSError(str(error.reason)) from None
    return content


def _setting(name: str) -> str | None:
    """One of pip's settings by its long option's name ("index-url"), from where pip would read it."""
    from_environment = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if from_environment:
        return from_environment
    home = Path.home()
    own = os.environ.get("PIP_CONFIG_FILE")
    user = Path(os.environ.get("XDG_CONFIG_HOME", home / ".config")) / "pip" / "pip.conf"
    # Later files win, as in pip.
    files = [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", user, *([Path(own)] if own else [])]
    parser = configparser.RawConfigParser(strict=False)
    parser.read(files)
    for section in ("install", "global"):
        if parser.has_option(section, name):
            return parser.get(section, name).strip()
    return None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    print(fetch(Path(sys.argv[1])))
