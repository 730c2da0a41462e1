"""Calls to one ComfyUI server over HTTP; nothing but Python's own library."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Mapping
from typing import Any

from ..errors import ServerError
from ..files.quoting import quoted
from .workflow import Workflow

_SECONDS = 30
#: A picture of any size ComfyUI makes is smaller.
_MOST_BYTES = 256 << 20


class ServerLost(ServerError):
    """A server does not answer, or its answer is none."""


class JobRejected(ServerError):
    """A server does not take a workflow."""


class Server:
    """One server.  url: ``http://host:port``; ``host:port`` will do."""

    def __init__(self, url: str, *, seconds: float = _SECONDS):
        """seconds: the longest silence of a call. Raises ValueError for a text that is no address."""
        given = url if "://" in url else f"http://{url}"
        parts = urllib.parse.urlsplit(given)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"'{quoted(url)}' is no address of a server. Expected is one like http://127.0.0.1:8188."
            )
        self.url = given.rstrip("/")
        self._seconds = seconds

    def system(self) -> dict[str, Any]:
        """What the server says of itself: version, devices."""
        return self._json("/system_stats")

    def upload(self, data: bytes, name: str, folder: str) -> str:
        """Put a photo into the server's input folder; returns how Load Image names it."""
        fields = {"subfolder": folder, "type": "input", "overwrite": "true"}
        body, boundary = _multipart(fields, name, data)
        kind = f"multipart/form-data; boundary={boundary}"
        answer = self._json("/upload/image", body, kind)
        try:
            return "/".join(filter(None, (answer.get("subfolder", ""), answer["name"])))
        except KeyError as error:
            raise self._nonsense("/upload/image", answer) from error

    def queue(self, workflow: Workflow) -> str:
        """Queue a workflow; returns its id. Raises JobRejected if the server finds a fault in it."""
        body = json.dumps({"prompt": workflow, "client_id": uuid.uuid4().hex}).encode()
        answer = self._json("/prompt", body)
        if answer.get("node_errors"):
            # The server would run the outputs that are valid and leave out the others.
            self.cancel(str(answer.get("prompt_id", "")))
            raise JobRejected(f"{self.url} does not take the workflow: {_faults(answer)}")
        if not answer.get("prompt_id"):
            raise self._nonsense("/prompt", answer)
        return str(answer["prompt_id"])

    def history(self, prompt_id: str) -> dict[str, Any] | None:
        """How a workflow went; None while it is not finished."""
        entry = self._json(f"/history/{prompt_id}").get(prompt_id)
        return entry if isinstance(entry, dict) else None

    def is_queued(self, prompt_id: str) -> bool:
        """Whether the server still has a workflow to run; one that was restarted has forgotten it."""
        queue = self._json("/queue")
        entries = (*queue.get("queue_running", ()), *queue.get("queue_pending", ()))
        return any(prompt_id in entry for entry in entries)

    def view(self, file: Mapping[str, str]) -> bytes:
        """A picture, from the {filename, subfolder, type} a node reported."""
        wanted = {key: file.get(key, "") for key in ("filename", "subfolder", "type")}
        return self._call(f"/view?{urllib.parse.urlencode(wanted)}")

    def cancel(self, prompt_id: str) -> None:
        """Take a workflow back, running or not."""
        self._call("/queue", json.dumps({"delete": [prompt_id]}).encode())
        self._call("/interrupt", json.dumps({"prompt_id": prompt_id}).encode())

    def _json(self, path: str, body: bytes | None = None, kind: str = "application/json") -> dict[str, Any]:
        data = self._call(path, body, kind)
        try:
            content = json.loads(data)
        except ValueError as error:
            raise self._nonsense(path, data[:80]) from error
        if not isinstance(content, dict):
            raise self._nonsense(path, content)
        return content

    def _call(self, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        request = urllib.request.Request(f"{self.url}{path}", body)
        if body is not None:
            request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, timeout=self._seconds) as answer:
                data = answer.read(_MOST_BYTES)
        except urllib.error.HTTPError as error:
            said = error.read(20_000)
            if error.code in (400, 413, 422):
                raise JobRejected(f"{self.url} does not take the workflow: {_faults(said)}") from error
            raise ServerLost(f"{self.url} answers {path} with HTTP {error.code} {error.reason}.") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise ServerLost(f"{self.url} does not answer: {quoted(reason)}.") from error
        return data

    def _nonsense(self, path: str, answer: object) -> ServerLost:
        return ServerLost(f"{self.url} answers {path} as no ComfyUI server does: {quoted(answer)}.")


def _multipart(fields: Mapping[str, str], name: str, data: bytes) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return b"".join((*lines, head.encode(), data, f"\r\n--{boundary}--\r\n".encode())), boundary


def _faults(answer: Any) -> str:
    """The server's own words for what is wrong with a workflow."""
    try:
        content = json.loads(answer) if isinstance(answer, bytes) else answer
        found = [content["error"]["message"]] if content.get("error") else []
        for key, node in (content.get("node_errors") or {}).items():
            found += [
                f"node {key} ({node['class_type']}): {fault['message']}, {fault['details']}"
                for fault in node["errors"]
            ]
    except (ValueError, KeyError, TypeError, AttributeError):
        found = []
    return quoted("; ".join(found) or answer, 600)
