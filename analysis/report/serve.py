"""A web server for one page on this machine, which serves only the files of the page."""

import gzip
import hmac
import ipaddress
import logging
import secrets
import socket
import socketserver
from collections.abc import Callable
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from ...errors import TeaselError
from .explorer import read_script, render_explorer
from .watch import Content, Watched, compress

_LOG = logging.getLogger("teasel")

_PATIENCE_SECONDS = 30.0  # for a request that has begun to come
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")

POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The page's security policy: it loads only this server's files. Plotly's WebGL needs eval."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Allow": "GET, HEAD",
}


class ServeError(TeaselError):
    """The page cannot be served at an address; the message says which and why."""


class Answer(NamedTuple):
    """A file of the page: its type, its content, whether that is in gzip, and its version."""

    kind: str
    content: bytes
    revision: str = ""
    packed: bool = True


class Server(ThreadingHTTPServer):
    """Serves the page about a results folder.

    At an address other than loopback, every path begins with a random token, included in `url`.

    Args:
        watched: The folder.
        seconds: The time between two requests of the page.
        host: An address or a name of this machine.
        port: The port; 0 for any free port.

    Raises:
        ServeError: If it cannot listen at the address.
    """

    daemon_threads = True

    def __init__(
        self, watched: Watched, seconds: float, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.watched, self.seconds, self.host = watched, seconds, host
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise ServeError(f"cannot serve at {host}, port {port}: {error}") from error
        address = ipaddress.ip_address(str(self.server_address[0]))
        self.token = "" if address.is_loopback else secrets.token_urlsafe(24)
        self._shown = socket.gethostname() if address.is_unspecified else host

    def server_bind(self) -> None:
        """Binds, without asking a name server for this machine's name."""
        socketserver.TCPServer.server_bind(self)

    @property
    def url(self) -> str:
        """The address of the page."""
        host = f"[{self._shown}]" if ":" in self._shown else self._shown
        token = f"{self.token}/" if self.token else ""
        return f"http://{host}:{self.server_address[1]}/{token}"

    def knows(self, host: str) -> bool:
        """Whether a request for this host is meant for this server.

        Another site can let one of its own names point here. Such requests are refused: only this
        machine's names and, except on loopback, its addresses are accepted.
        """
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        if name.lower() in {*_LOCAL_NAMES, self.host.lower(), self._shown.lower()}:
            return True
        try:
            return bool(ipaddress.ip_address(name)) and bool(self.token)
        except ValueError:
            return False

    def find(self, path: str) -> Answer | None:
        """The file at a path; None if it does not exist."""
        known: dict[str, Callable[[], Answer]] = {
            "": self._page,
            "status.json": lambda: _json(Content("", compress(self.watched.status()))),
            "models.json": lambda: _json(self.watched.models()),
            "curves.json": lambda: _json(self.watched.curves()),
            "explorer.js": lambda: _script(read_script("explorer.js")),
            "watch.js": lambda: _script(read_script("watch.js")),
            "plotly.min.js": lambda: self._plotly,
        }
        if path in known:
            return known[path]()
        folder, _, name = path.rpartition("/")
        picture = self.watched.picture(name) if folder == "pictures" else None
        return None if picture is None else Answer("image/png", picture, packed=False)

    def _page(self) -> Answer:
        name = str(self.watched.status().get("study", "A study to come"))
        page = render_explorer(name, "", self.seconds).encode()
        return Answer("text/html; charset=utf-8", gzip.compress(page))

    @cached_property
    def _plotly(self) -> Answer:
        from plotly.offline import get_plotlyjs, get_plotlyjs_version

        return _script(get_plotlyjs())._replace(revision=get_plotlyjs_version())


class _Handler(BaseHTTPRequestHandler):
    """A handler that answers or refuses one request."""

    server: Server  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "teasel", ""
    timeout = _PATIENCE_SECONDS

    def do_GET(self) -> None:
        """Sends a file of the page."""
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # what comes next is no request
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not self.server.knows(hosts[0]):
            return self.send_error(421, "This server does not serve that host")
        path = self.path.partition("?")[0].removeprefix("/")
        if self.server.token:
            given, _, path = path.partition("/")
            if not hmac.compare_digest(
                given.encode("utf-8", "replace"), self.server.token.encode()
            ):
                return self.send_error(403, "The token in the address is missing or wrong")
        try:
            answer = self.server.find(path)
        except TeaselError as error:
            _LOG.debug("%s", error)
            return self.send_error(503, "The folder cannot be read at the moment")
        except Exception as error:
            _LOG.warning("The page's request for %s failed: %r", path, error)
            return self.send_error(500, "This failed")
        return self._send(answer) if answer else self.send_error(404, "There is no such file")

    def do_HEAD(self) -> None:
        """Sends the headers of the file."""
        self.do_GET()

    def parse_request(self) -> bool:
        """Whether to answer the request; methods other than GET and HEAD are refused."""
        if not super().parse_request():
            return False
        if self.command in ("GET", "HEAD"):
            return True
        self.close_connection = True
        self.send_error(405, "Only GET and HEAD are answered")
        return False

    def _send(self, answer: Answer) -> None:
        tag = f'"{answer.revision}"'
        is_known = bool(answer.revision) and tag in self.headers.get("If-None-Match", "")
        content, packed = answer.content, answer.packed
        if packed and "gzip" not in self.headers.get("Accept-Encoding", ""):
            content, packed = gzip.decompress(content), False
        self.send_response(304 if is_known else 200)
        if answer.revision:
            self.send_header("ETag", tag)
        if not is_known:
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(content)))
            if packed:
                self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if self.command != "HEAD" and not is_known:
            self.wfile.write(content)

    def end_headers(self) -> None:
        """Adds the headers of every answer."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def handle(self) -> None:
        """Answers requests; a client that disconnects is not an error."""
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: a line per second would hide other messages, and paths hold the token."""


def _json(given: Content) -> Answer:
    return Answer("application/json", given.content or compress(None), given.revision)


def _script(text: str) -> Answer:
    return Answer("text/javascript; charset=utf-8", gzip.compress(text.encode()))
