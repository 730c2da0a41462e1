"""A file server on this machine that misbehaves as told: it drops, redirects, lies, refuses."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Asked:
    """One request, as it arrived."""

    path: str
    headers: dict[str, str]


@dataclass
class FileServer:
    """What is served, and how.

    data: by path.  tag: the ETag of all files.
    faults: what happens instead of an ordinary answer, one after the other, then no more; each is called with the
    handler and the answer that would be right.
    """

    address: str = ""
    data: dict[str, bytes] = field(default_factory=dict)
    tag: str = '"one"'
    headers: dict[str, str] = field(default_factory=dict)
    faults: list[Callable] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def serve() -> Iterator[FileServer]:
    served = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.asked.append(Asked(self.path, dict(self.headers)))
            fault = served.faults.pop(0) if served.faults else ordinary
            fault(self, served)
            self.close_connection = True

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def head(handler, status: int, **headers: object) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()


def ordinary(handler, served: FileServer, *, length: int | None = None, keep: int | None = None) -> None:
    """An answer as a good server gives it.  length: what it says instead.  keep: bytes after which it drops."""
    data = served.data.get(handler.path)
    if data is None:
        head(handler, 404, Content_Length=0)
        return
    wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    start = int(wanted[1]) if wanted and handler.headers.get("If-Range", served.tag) == served.tag else 0
    if start >= len(data) and start and length is None:
        head(handler, 416, Content_Range=f"bytes */{len(data)}", Content_Length=0)
        return
    part = data[start:]
    extra = {"Content_Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
    size = len(part) if length is None else length
    head(handler, 206 if start else 200, Content_Length=size, ETag=served.tag, **extra, **served.headers)
    handler.wfile.write(part if keep is None else part[:keep])


def drop_after(count: int) -> Callable:
    """The connection ends after so many bytes of what was asked for."""
    return lambda handler, served: ordinary(handler, served, keep=count)


def refuse(status: int, **headers: object) -> Callable:
    return lambda handler, served: head(handler, status, Content_Length=0, **headers)


def redirect(address: str, **headers: object) -> Callable:
    return refuse(302, Location=address, **headers)


def lie(length: int) -> Callable:
    """Another length than that of the data."""
    return lambda handler, served: ordinary(handler, served, length=length)


def whole(handler, served: FileServer) -> None:
    """All of it, whatever part was asked for."""
    data = served.data[handler.path]
    head(handler, 200, Content_Length=len(data), ETag=served.tag)
    handler.wfile.write(data)


def unsized(data: bytes) -> Callable:
    """Without a length: the end of the connection is the end of the file."""

    def answer(handler, served):
        head(handler, 200, ETag=served.tag)
        handler.wfile.write(data)

    return answer


def wrong_part(handler, served: FileServer) -> None:
    """A part that begins elsewhere than was asked for."""
    data = served.data[handler.path]
    head(handler, 206, Content_Length=len(data), Content_Range=f"bytes 0-{len(data) - 1}/{len(data)}")
    handler.wfile.write(data)
