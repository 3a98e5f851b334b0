"""Pip's wheel is found on any kind of index, verified, and looked for where pip's settings say."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pip_wheel
import pytest

CONTENT = b"not really a wheel"
WHEEL = pip_wheel.WHEEL


class Index:
    """A package index on loopback. `pages` maps paths to what is served there; requests are kept."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {f"/files/{WHEEL}": CONTENT}
        self.requests: list[tuple[str, str | None]] = []
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.requests.append((self.path, self.headers.get("Authorization")))
                body = index.pages.get(self.path)
                self.send_response(404 if body is None else 200)
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.host = f"127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Index]:
    served = Index()
    monkeypatch.setattr(pip_wheel, "PIP_SHA256", hashlib.sha256(CONTENT).hexdigest())
    for name in ("PIP_CERT", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{served.host}/simple")
    yield served
    served.close()


HTML = f'<a href="../../files/pip-1.0-py3-none-any.whl">old</a> <a href="../../files/{WHEEL}#sha256=00">new</a>'
JSON = json.dumps({"files": [{"filename": WHEEL, "url": f"/files/{WHEEL}"}]})


@pytest.mark.parametrize("page", [HTML, JSON], ids=["html", "json"])
def test_the_wheel_is_found_in_both_forms_of_an_index(index: Index, tmp_path: Path, page: str) -> None:
    index.pages["/simple/pip/"] = page.encode()
    assert pip_wheel.fetch(tmp_path / "cache").read_bytes() == CONTENT


def test_a_verified_wheel_is_not_downloaded_again_and_a_broken_one_is(index: Index, tmp_path: Path) -> None:
    index.pages["/simple/pip/"] = HTML.encode()
    wheel = pip_wheel.fetch(tmp_path)
    assert len(index.requests) == 2
    pip_wheel.fetch(tmp_path)
    assert len(index.requests) == 2
    wheel.write_bytes(b"half of it")
    assert pip_wheel.fetch(tmp_path).read_bytes() == CONTENT


def test_a_wheel_with_another_hash_is_refused_and_not_kept(index: Index, tmp_path: Path) -> None:
    index.pages |= {"/simple/pip/": HTML.encode(), f"/files/{WHEEL}": b"something else"}
    with pytest.raises(pip_wheel.PipUnavailable, match="not the pinned one"):
        pip_wheel.fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("page", [None, b"<html>nothing here</html>"], ids=["404", "not listed"])
def test_an_index_without_it_is_a_sentence(index: Index, tmp_path: Path, page: bytes | None) -> None:
    if page is not None:
        index.pages["/simple/pip/"] = page
    with pytest.raises(pip_wheel.PipUnavailable, match="PIP_INDEX_URL"):
        pip_wheel.fetch(tmp_path)


def test_a_dead_index_is_a_sentence_without_the_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:hunter2@127.0.0.1:9/simple")
    with pytest.raises(pip_wheel.PipUnavailable) as stopped:
        pip_wheel.fetch(tmp_path)
    assert "hunter2" not in str(stopped.value)


def test_a_login_in_the_address_is_sent(index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    index.pages["/simple/pip/"] = HTML.encode()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:p%40ss@{index.host}/simple")
    pip_wheel.fetch(tmp_path)
    expected = "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert index.requests[0] == ("/simple/pip/", expected)


def test_pip_conf_is_read_where_pip_reads_it(index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    index.pages["/mirror/pip/"] = HTML.encode()
    index.pages[f"/files/{WHEEL}"] = CONTENT
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    settings = tmp_path / "pip" / "pip.conf"
    settings.parent.mkdir()
    settings.write_text(f"[global]\nindex-url = http://{index.host}/mirror/\n")
    assert pip_wheel.fetch(tmp_path / "cache").exists()
