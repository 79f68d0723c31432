"""LiteLLM's Router beside us, in an environment of its own.

Its dependencies are not ours, so it runs in another process, which does the same work
with the same watch and says what came of it. Where it is not installed its cells stay
empty and the run says so:

```console
$ make bench
```

`python -m benchmarks.litellm_router` is what runs there: it reads one request a line.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import works

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

ROOT: Final = Path(__file__).parents[1]
PLACE: Final = os.environ.get("LITELLM_VENV", str(ROOT / ".venv-litellm"))
MISSING: Final = "LiteLLM's Router was not measured: `make bench` installs it"


class LiteLLM:
    """The other process, as seen from here."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.version: str = self._answer()["version"]

    @classmethod
    def start(cls) -> LiteLLM | None:
        """Start it; return nothing where LiteLLM is not installed."""
        python = Path(PLACE) / "bin" / "python"
        if not python.exists():
            return None
        process = subprocess.Popen(  # noqa: S603 - a module of ours
            [str(python), "-m", "benchmarks.litellm_router"],
            cwd=ROOT,
            # The same word a thousand times is what all are asked for here.
            env={
                **os.environ,
                "REPEATED_STREAMING_CHUNK_LIMIT": "1000000",
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return cls(process)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate()

    def sample(
        self,
        work: str,
        size: works.Size,
        models: Sequence[tuple[str, str]],
        *,
        forgets: bool,
    ) -> works.Sample:
        """Do some work there.

        Args:
            work: The name of a function in `works`.
            size: How much of it.
            models: Names and addresses, in order.
            forgets: Whether each call shall be the first of an outage.
        """
        asked = {
            "work": work,
            "size": asdict(size),
            "models": list(models),
            "forgets": forgets,
        }
        if self._process.stdin is None:
            raise RuntimeError("no pipe")
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return works.Sample(**self._answer())

    def _answer(self) -> dict[str, Any]:
        if self._process.stdout is None:
            raise RuntimeError("no pipe")
        if not (line := self._process.stdout.readline()):
            raise RuntimeError("LiteLLM's process has ended; it said why above")
        answer: dict[str, Any] = json.loads(line)
        return answer


# --- in the other process ---------------------------------------------------------


class _Routed:
    """A Router, asked like a chat model."""

    def __init__(self, models: Sequence[tuple[str, str]]) -> None:
        self._models = models
        self.forget()

    def forget(self) -> None:
        """Begin afresh, as if nothing had failed."""
        from litellm import Router  # type: ignore[import-not-found] # noqa: PLC0415

        names = [f"entry-{at}" for at in range(len(self._models))]
        self._router = Router(
            model_list=[
                {
                    "model_name": name,
                    "litellm_params": {
                        "model": f"openai/{model}",
                        "api_base": url,
                        "api_key": "none-needed",
                    },
                }
                for name, (model, url) in zip(names, self._models, strict=True)
            ],
            fallbacks=[{names[0]: names[1:]}],
        )

    def _asked(self, question: str, *, stream: bool = False) -> dict[str, Any]:
        messages = [{"role": "user", "content": question}]
        return {"model": "entry-0", "messages": messages, "stream": stream}

    def invoke(self, question: str) -> Any:
        return self._router.completion(**self._asked(question))

    async def ainvoke(self, question: str) -> Any:
        return await self._router.acompletion(**self._asked(question))

    def stream(self, question: str) -> Iterator[Any]:
        yield from self._router.completion(**self._asked(question, stream=True))

    async def astream(self, question: str) -> AsyncIterator[Any]:
        stream = await self._router.acompletion(**self._asked(question, stream=True))
        async for chunk in stream:
            yield chunk


def main() -> None:
    """Do what is asked, a line at a time, until standard input is closed."""
    from importlib.metadata import version  # noqa: PLC0415 - only here

    from litellm import Router  # noqa: F401, PLC0415 - a failure shall come now

    said, sys.stdout = sys.stdout, sys.stderr  # LiteLLM prints
    routers: dict[str, _Routed] = {}
    print(json.dumps({"version": version("litellm")}), file=said, flush=True)
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            asked = json.loads(line)
            models = [tuple(one) for one in asked["models"]]
            router = routers.setdefault(str(models), _Routed(models))
            work: Any = getattr(works, asked["work"])
            more = {"before": _Routed.forget} if asked["forgets"] else {}
            done = work(router, works.Size(**asked["size"]), **more)
            sample = done if isinstance(done, works.Sample) else runner.run(done)
            print(json.dumps(asdict(sample)), file=said, flush=True)


if __name__ == "__main__":
    main()
