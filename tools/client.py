"""Talk to a ComfyUI server: queue a workflow, follow it, fetch what it made."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

#: A workflow in the API format: node id -> {"class_type": ..., "inputs": {...}}.
Workflow = Mapping[str, Mapping[str, Any]]

_FINAL = ("execution_success", "execution_error", "execution_interrupted")
_CLOSED = (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR)
_HISTORY_SECONDS = 10


class WorkflowRejected(Exception):
    """The server found the workflow, or a part of it, invalid; ``body`` is its answer."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        problems = [body["error"]["message"]] if "error" in body else []
        for node_id, node in body.get("node_errors", {}).items():
            problems += [
                f"node {node_id} ({node['class_type']}): {error['message']}, {error['details']}"
                for error in node["errors"]
            ]
        super().__init__("; ".join(problems))


@dataclass(frozen=True)
class Event:
    """A message of the server about a running workflow, such as ``executing`` or ``progress``."""

    type: str
    data: dict[str, Any]


@dataclass
class Run:
    """How a workflow went.

    outputs: what each node shows in the interface, by node id; empty if a node failed.
    error: the server's message about the node that failed.
    executed: the ids of the nodes that ran, in order; results taken from the cache are not among them.
    """

    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    executed: list[str] = field(default_factory=list)


class Client:
    """Calls to one server. Nothing stays open between calls."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, path: str) -> Any:
        """The JSON answer to a GET request."""
        return asyncio.run(self._get(path))

    def view(self, file: Mapping[str, str]) -> bytes:
        """A picture a node made, from the {filename, subfolder, type} it reported."""
        return asyncio.run(self._view(file))

    def run(
        self,
        workflow: Workflow,
        *,
        on_event: Callable[[Event], None] = lambda event: None,
        extra_data: Mapping[str, Any] | None = None,
        timeout: float = 900,
    ) -> Run:
        """Queue a workflow and wait until it has ended.

        timeout: the longest silence, in seconds, before TimeoutError.
        Raises WorkflowRejected if the server does not accept all of it, ConnectionError if the server ends.
        """
        return asyncio.run(self._run(workflow, on_event, extra_data or {}, timeout))

    async def _get(self, path: str) -> Any:
        async with aiohttp.ClientSession() as session, session.get(f"{self._url}{path}") as answer:
            answer.raise_for_status()
            return await answer.json()

    async def _view(self, file: Mapping[str, str]) -> bytes:
        url, query = f"{self._url}/view", dict(file)
        async with aiohttp.ClientSession() as session, session.get(url, params=query) as answer:
            answer.raise_for_status()
            return await answer.read()

    async def _run(
        self,
        workflow: Workflow,
        on_event: Callable[[Event], None],
        extra_data: Mapping[str, Any],
        timeout: float,
    ) -> Run:
        run, client_id = Run(), uuid.uuid4().hex
        async with aiohttp.ClientSession() as session:
            # Connected before anything is queued, so that no event is missed.
            async with session.ws_connect(f"{self._url}/ws?clientId={client_id}", max_msg_size=0) as socket:
                body = {"prompt": workflow, "client_id": client_id, "extra_data": extra_data}
                prompt_id = await self._queue(session, body)
                while True:
                    event = await _next_event(socket, prompt_id, timeout)
                    if event.type == "executing" and event.data["node"] is not None:
                        run.executed.append(event.data["node"])
                    on_event(event)
                    if event.type in _FINAL:
                        break
            if event.type == "execution_success":
                run.outputs = await self._outputs(session, prompt_id)
            else:
                run.error = event.data
        return run

    async def _queue(self, session: aiohttp.ClientSession, body: Mapping[str, Any]) -> str:
        async with session.post(f"{self._url}/prompt", json=body) as answer:
            reply = await answer.json()
        if answer.status != 200:
            raise WorkflowRejected(reply)
        prompt_id = str(reply["prompt_id"])
        if reply["node_errors"]:
            # The server would run the outputs that are valid and leave out the others.
            await session.post(f"{self._url}/queue", json={"delete": [prompt_id]})
            await session.post(f"{self._url}/interrupt", json={"prompt_id": prompt_id})
            raise WorkflowRejected(reply)
        return prompt_id

    async def _outputs(self, session: aiohttp.ClientSession, prompt_id: str) -> dict[str, dict[str, Any]]:
        """The history entry, which the server writes a moment after the last event."""
        for _ in range(_HISTORY_SECONDS * 10):
            async with session.get(f"{self._url}/history/{prompt_id}") as answer:
                history = await answer.json()
            if prompt_id in history:
                outputs: dict[str, dict[str, Any]] = history[prompt_id]["outputs"]
                return outputs
            await asyncio.sleep(0.1)
        raise TimeoutError(f"The finished workflow {prompt_id} is missing from the server's history.")


async def _next_event(socket: aiohttp.ClientWebSocketResponse, prompt_id: str, timeout: float) -> Event:
    """The next message about this workflow."""
    while True:
        message = await asyncio.wait_for(socket.receive(), timeout)
        if message.type in _CLOSED:
            raise ConnectionError("The server ended while it ran the workflow.")
        if message.type is aiohttp.WSMsgType.TEXT:  # otherwise a preview picture
            content = message.json()
            event = Event(content["type"], content.get("data", {}))
            if event.data.get("prompt_id") == prompt_id:
                return event
