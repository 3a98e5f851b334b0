"""A web site of somebody else: the pages that tests bring along, on an origin that is not the service's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
NODE_MODULES = TESTS / "node_modules"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
# The addresses under which the site shows the npm packages' own builds, byte for byte as they were published.
NPM_BUILDS = {
    "/npm/kvs-webrtc.min.js": "amazon-kinesis-video-streams-webrtc/dist/kvs-webrtc.min.js",
    "/npm/aws-sdk.min.js": "aws-sdk/dist/aws-sdk.min.js",
}


class Site:
    """The address of a test site and the pages on it."""

    def __init__(self, server: ThreadingHTTPServer, folder: Path) -> None:
        self.folder = folder
        self.port: int = server.server_address[1]
        self.origin = f"http://localhost:{self.port}"

    def url(self, page: str) -> str:
        """The address of a page in the site's folder."""
        return f"{self.origin}/{page}"


def _find(folder: Path, path: str) -> Path | None:
    if path in NPM_BUILDS:
        return NODE_MODULES / NPM_BUILDS[path]
    if path.startswith("/harness/"):
        return TESTS / "harness" / Path(path).name
    found = folder / Path(path).name
    return found if found.suffix in TYPES and found.is_file() else None


@contextmanager
def serve_site(folder: Path) -> Iterator[Site]:
    """Serve the .html and .js files of `folder`, the npm builds and the harness's scripts on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/favicon.ico":  # browsers ask, and complain in the console
                self.send_response(204)
                self.end_headers()
                return
            found = _find(folder, path)
            if found is None:
                self.send_error(404)
                return
            content = found.read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", TYPES.get(found.suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """The site keeps quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Site(server, folder)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
