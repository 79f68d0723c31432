"""LiteLLM's Router in a process of its environment, as its documentation sets it up.

Nothing but LiteLLM is needed here. `SETTINGS` are the ways in which it can be told of
limits; each is run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.limits.load import RPM, take_part

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from benchmarks.limits.load import Asking

PLACE: Final = os.environ.get(
    "LITELLM_VENV", str(Path(__file__).parents[2] / ".venv-litellm")
)
SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "simple-shuffle": {"routing_strategy": "simple-shuffle"},
    "usage-based-routing-v2": {"routing_strategy": "usage-based-routing-v2"},
    "enforce_model_rate_limits": {
        "routing_strategy": "simple-shuffle",
        "optional_pre_call_checks": ["enforce_model_rate_limits"],
    },
}
RETRIES: Final = 3


def python() -> Path | None:
    """Return the interpreter of its environment; `None` where there is none."""
    path = Path(PLACE) / "bin" / "python"
    return path if path.exists() else None


def prepare(url: str, name: str, deployments: list[str]) -> Asking:
    """Return what asks."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no request at import
    import litellm  # type: ignore[import-not-found] # noqa: PLC0415 - not ours

    litellm.suppress_debug_info = True
    router = litellm.Router(
        model_list=[
            {
                "model_name": "chat",
                "litellm_params": {
                    "model": f"openai/{one}",
                    "api_base": url,
                    "api_key": "sk-test",
                    "rpm": RPM,
                },
            }
            for one in deployments
        ],
        num_retries=RETRIES,
        **SETTINGS[name],
    )

    def ask(question: str) -> Awaitable[Any]:
        messages = [{"role": "user", "content": question}]
        return router.acompletion(model="chat", messages=messages)

    return ask


if __name__ == "__main__":
    take_part(prepare)
