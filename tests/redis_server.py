"""A real `redis-server` on a free port of this machine, without persistence."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

import redis

if TYPE_CHECKING:
    from collections.abc import Iterator

GET_IT = "needs redis-server: `apt-get install redis-server`, `brew install redis`"

PROGRAM = shutil.which("redis-server")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class RedisServer:
    """One server; it may be stopped, frozen and started again on the same port."""

    def __init__(self, folder: str, *options: str) -> None:
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - found on the path
            [
                *(str(PROGRAM), "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--save", "", "--appendonly", "no", "--dir", self._folder),
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        over = time.monotonic() + 60
        while time.monotonic() < over and self._process.poll() is None:
            with contextlib.suppress(redis.RedisError), self.client() as client:
                if client.info("server")["process_id"] == self._process.pid:
                    return  # another's server may have been quicker to take the port
            time.sleep(0.01)
        self.stop()
        raise RuntimeError(f"redis-server did not start on port {self.port}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=5, retry=None)

    def contents(self) -> bytes:
        """Return all that it holds, keys and values."""
        held: list[bytes] = []
        with self.client() as client:
            for key in client.scan_iter():
                held += [key, client.dump(key) or b""]
                match client.type(key):
                    case b"string":
                        held.append(client.get(key) or b"")
                    case b"hash":
                        for pair in client.hgetall(key).items():
                            held += pair
                    case b"set":
                        held += client.smembers(key)
                    case kind:
                        raise AssertionError(kind)
        return b"\n".join(held)


def _started(folder: str, *options: str) -> RedisServer:
    """Start one; a free port may be taken before it is there."""
    for _ in range(3):
        server = RedisServer(folder, *options)
        with contextlib.suppress(RuntimeError):
            server.start()
            return server
    raise RuntimeError("redis-server did not start")


@contextlib.contextmanager
def running(*options: str) -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory() as folder:
        server = _started(folder, *options)
        try:
            yield server
        finally:
            server.stop()
