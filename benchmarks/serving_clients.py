"""Clients for the benchmark of the server: cheap enough to share the cores with it."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Load:
    """What some clients saw.

    Attributes:
        answers: the answer for each text, in order.
        statuses: the status of each request.
        seconds: the duration of each request.
        wall: seconds from the first request to the last answer.
    """

    answers: list[Any]
    statuses: list[int]
    seconds: list[float] = field(default_factory=list)
    wall: float = 0.0

    def percentile(self, share: float) -> float:
        """Return the milliseconds within which this share of the requests was answered."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def _request(reader: Any, writer: Any, path: str, body: bytes) -> tuple[int, bytes]:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    status, length = int((await reader.readline()).split()[1]), 0
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status, await reader.readexactly(length)


async def _ask(port: int, path: str, bodies: list[bytes], clients: int) -> Load:
    load = Load([None] * len(bodies), [0] * len(bodies), [0.0] * len(bodies))
    positions = iter(range(len(bodies)))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for position in positions:
            started = time.monotonic()
            status, content = await _request(reader, writer, path, bodies[position])
            load.seconds[position] = time.monotonic() - started
            load.statuses[position] = status
            load.answers[position] = json.loads(content)
        writer.close()

    started = time.monotonic()
    await asyncio.gather(*(client() for _ in range(clients)))
    load.wall = time.monotonic() - started
    return load


def ask(port: int, path: str, bodies: list[bytes], clients: int) -> Load:
    """Send each body once, so many at a time, and return what came back."""
    return asyncio.run(_ask(port, path, bodies, clients))


def body(text: str) -> bytes:
    """Return the request of Text Embeddings Inference for a text."""
    return json.dumps({"inputs": text}).encode()


async def _open(port: int, sent: bytes, count: int, seconds: float) -> None:
    opened = await asyncio.gather(
        *(asyncio.open_connection("127.0.0.1", port) for _ in range(count)), return_exceptions=True
    )
    writers = [each[1] for each in opened if not isinstance(each, BaseException)]
    for writer in writers:
        writer.write(sent)
    await asyncio.sleep(seconds)
    for writer in writers:
        writer.close()


def hold_open(port: int, sent: bytes, count: int, seconds: float) -> None:
    """Open connections, send the beginning of a request on each, and hold them."""
    asyncio.run(_open(port, sent, count, seconds))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time so far of a process and of those that it has started."""
    import psutil

    server = psutil.Process(pid)
    times = [each.cpu_times() for each in (server, *server.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def resources(pid: int) -> dict[str, int]:
    """Return the memory in MB, the file handles and the threads of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    values = dict(line.split(":", 1) for line in status.splitlines())
    return {
        "MB": int(values["VmRSS"].split()[0]) // 1024,
        "files": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "threads": int(values["Threads"]),
    }
