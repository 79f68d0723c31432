"""LiteLLM's Router behind a pipe: a line of JSON in per call, one out.

Run by `compare_contestants.py` in `.venv-litellm`; nothing of ours is imported here.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from importlib import metadata
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no request at import

import litellm

_sleep = asyncio.sleep


async def _short_sleep(seconds: float, *result: Any) -> Any:
    """Let backoff pass quickly, as everybody's does here: only requests are counted."""
    return await _sleep(min(seconds, 0.05), *result)


asyncio.sleep = _short_sleep  # type: ignore[assignment]

litellm.suppress_debug_info = True
NO_END = 20.0


def router(base_url: str, timeout: float) -> Any:
    """Return a Router with its defaults: two models, the second one the fallback."""
    return litellm.Router(
        model_list=[
            {
                "model_name": name,
                "litellm_params": {
                    "model": f"openai/{name}",
                    "api_base": base_url,
                    "api_key": "sk-test",
                    "timeout": timeout,
                    "stream_timeout": timeout,
                },
            }
            for name in ("first", "second")
        ],
        fallbacks=[{"first": ["second"]}],
    )


async def ask(router: Any, seen: dict[str, Any]) -> None:
    """Stream an answer; arguments of tools are joined as its users do."""
    pieces = ""
    stream = await router.acompletion(
        model="first", messages=[{"role": "user", "content": "hello?"}], stream=True
    )
    async for chunk in stream:
        delta = chunk.choices[0].delta
        seen["text"] += delta.content or ""
        for call in delta.tool_calls or []:
            pieces += call.function.arguments or ""
    if pieces:
        try:
            seen["arguments"] = [json.loads(pieces)]
        except ValueError:
            seen["arguments"] = [pieces]


async def main() -> None:
    """Answer until the pipe is closed."""
    routers: dict[int, Any] = {}
    print(json.dumps({"version": metadata.version("litellm")}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        wish = json.loads(line)
        number = wish["router"]
        if number not in routers:
            routers[number] = router(wish["base_url"], wish["timeout"])
        seen: dict[str, Any] = {
            "text": "",
            "arguments": [],
            "error": None,
            "ended": True,
        }
        try:
            await asyncio.wait_for(ask(routers[number], seen), NO_END)
        except TimeoutError:
            seen["ended"] = False
        except Exception as error:  # noqa: BLE001 - told, whatever it is
            seen["error"] = f"`{type(error).__name__}`"
        print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
