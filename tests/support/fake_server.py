"""A ComfyUI server over HTTP that draws nothing, and can be made to fail in every way a real one does."""

import io
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

#: Of the photo a picture is made from, the queue's answer and the rest.
_JSON = "application/json"


class FakeServer:
    """For use in a ``with`` statement.

    drawn: how often each seed was drawn.  uploads: names of files that were sent.
    answers: what is done with the next calls of a path: a status to answer, ``half`` of an answer, ``garbage``,
    ``hang up``.  rejects, fails: whether a workflow is refused, or fails when it runs.
    dies_after: pictures after which the server is gone.
    """

    def __init__(self, *, dies_after: int | None = None, rejects: Any = None, fails: Any = None):
        self.drawn: Counter[int] = Counter()
        self.uploads: list[str] = []
        self.answers: dict[str, list[Any]] = {}
        self.cancelled: list[str] = []
        self._dies_after, self._rejects, self._fails = dies_after, rejects, fails
        self._history: dict[str, Any] = {}
        self._pictures: dict[str, bytes] = {}
        self._cached: set[str] = set()
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> "FakeServer":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def forget(self) -> None:
        """As after a restart."""
        self._history.clear()

    # ------------------------------------------------------------ what it does

    def get(self, path: str, query: dict[str, list[str]]) -> tuple[int, str, bytes]:
        if path == "/system_stats":
            return _json({"system": {"comfyui_version": "0.0"}, "devices": [{"name": "fake"}]})
        if path.startswith("/history/"):
            key = path.rsplit("/", 1)[1]
            return _json({key: self._history[key]} if key in self._history else {})
        if path == "/queue":
            return _json({"queue_running": [], "queue_pending": []})
        if path == "/view":
            return 200, "image/png", self._pictures[query["filename"][0]]
        return 404, _JSON, b"{}"

    def post(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        if path == "/upload/image":
            name = body.split(b'filename="')[1].split(b'"')[0].decode()
            self.uploads.append(name)
            return _json({"name": name, "subfolder": "consistentid_evaluation", "type": "input"})
        if path == "/prompt":
            return self._queue(json.loads(body)["prompt"])
        content = json.loads(body)
        self.cancelled += content.get("delete", [])
        return _json({})

    def _queue(self, workflow: dict[str, Any]) -> tuple[int, str, bytes]:
        if self._rejects is not None and self._rejects(workflow):
            error = {"message": "Value not in list", "details": "ckpt_name: 'x.safetensors'"}
            body = {
                "error": {"message": "Prompt outputs failed validation"},
                "node_errors": {"2": {"class_type": "CheckpointLoaderSimple", "errors": [error]}},
            }
            return 400, _JSON, json.dumps(body).encode()
        seed = next(node["inputs"]["seed"] for node in workflow.values() if "seed" in node["inputs"])
        shows = [key for key, node in workflow.items() if node["class_type"] == "PreviewImage"]
        decoded = [
            key
            for key in shows
            if "VAEDecode" in workflow[workflow[key]["inputs"]["images"][0]]["class_type"]
        ]
        (output,) = decoded
        with self._lock:
            key = f"prompt-{len(self._history)}-{seed}"
            if self._fails is not None and self._fails(workflow):
                data = {"node_type": "ConsistentIDEmbedding", "exception_message": "No face found."}
                self._history[key] = {
                    "status": {"status_str": "error", "messages": [["execution_error", data]]}
                }
                return _json({"prompt_id": key, "node_errors": {}})
            self.drawn[seed] += 1
            name = f"{len(self._pictures)}.png"
            self._pictures[name] = picture(seed)
            marks = [f"{node}:{entry['inputs'].get('image')}" for node, entry in workflow.items()]
            cached = [mark.split(":")[0] for mark in marks if mark in self._cached]
            self._cached.update(marks)
            messages = [
                ["execution_start", {"timestamp": 1000}],
                ["execution_cached", {"nodes": cached}],
                ["execution_success", {"timestamp": 3500}],
            ]
            image = {"filename": name, "subfolder": "", "type": "temp"}
            self._history[key] = {
                "status": {"status_str": "success", "messages": messages},
                "outputs": {output: {"images": [image]}},
            }
            if self._dies_after is not None and sum(self.drawn.values()) > self._dies_after:
                threading.Thread(target=self.stop).start()
                raise ConnectionAbortedError
        return _json({"prompt_id": key, "node_errors": {}})

    def answer(self, path: str, data: bytes) -> tuple[int | None, bytes]:
        """The status and bytes of a call, spoiled if that was asked for; None hangs up."""
        waiting = next((several for start, several in self.answers.items() if path.startswith(start)), [])
        how = waiting.pop(0) if waiting else 200
        if how == "half":
            return 200, data[: len(data) // 2]
        if how == "garbage":
            return 200, b"<html>busy</html>"
        return (None, b"") if how == "hang up" else (how, data)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                self._reply(parts.path, lambda: server.get(parts.path, parse_qs(parts.query)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._reply(self.path, lambda: server.post(self.path, body))

            def _reply(self, path: str, make: Any) -> None:
                try:
                    status, kind, data = make()
                except ConnectionAbortedError:
                    self.close_connection = True
                    return
                changed, data = server.answer(path, data)
                if changed is None:
                    self.close_connection = True
                    return
                self.send_response(status if changed == 200 else changed)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: object) -> None:
                """Nothing is printed."""

        return Handler


def picture(seed: int) -> bytes:
    """A small picture whose colour tells its seed."""
    buffer = io.BytesIO()
    colour = (seed % 251, seed // 251 % 241, 90)
    Image.effect_noise((64, 64), 40).convert("RGB").point(lambda value: value).save(buffer, "PNG")
    small = Image.open(io.BytesIO(buffer.getvalue()))
    small.paste(colour, (0, 0, 32, 32))
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    return buffer.getvalue()


def _json(content: Any) -> tuple[int, str, bytes]:
    return 200, _JSON, json.dumps(content).encode()
