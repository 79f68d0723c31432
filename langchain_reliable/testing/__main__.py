"""`python -m langchain_reliable.testing`: the provider simulator to play with by hand.

Every fault of the catalogue is scripted under its name, so that `curl` can ask for one.
"""

from __future__ import annotations

import argparse
import sys
from threading import Event
from typing import TYPE_CHECKING

from langchain_reliable.testing._simulator.catalogue import FAULTS
from langchain_reliable.testing._simulator.simulator import simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_reliable.testing._simulator.simulator import Simulator

PORT = 8111

GUIDE = """\
The simulator listens on {url}; Ctrl-C ends it.

OpenAI chat completions (base_url="{openai_url}", any api_key):
  curl -N {openai_url}/chat/completions -H 'content-type: application/json' \\
    -d '{{"model": "content-then-cut", "stream": true, "messages": []}}'

Anthropic messages (base_url="{anthropic_url}", any api_key):
  curl -N {anthropic_url}/v1/messages -H 'content-type: application/json' \\
    -d '{{"model": "error-529", "max_tokens": 9, "messages": []}}'

Gemini, Bedrock Converse, Cohere v2, Ollama and OpenRouter as well:
  curl -N {gemini_url}/v1beta/models/error-429:generateContent -d '{{}}'
  curl -N {bedrock_url}/model/error-503/converse -d '{{}}'
  curl -N {cohere_url}/v2/chat -d '{{"model": "no-finish", "stream": true}}'
  curl -N {ollama_url}/api/chat -d '{{"model": "content-then-error"}}'
  curl -N {openrouter_url}/chat/completions -d '{{"model": "rate-limited"}}'

The model's name says what happens; any other name answers healthily:
  {names}
"""


def _for_ever() -> None:
    Event().wait()


def main(
    arguments: Sequence[str] | None = None,
    *,
    wait: Callable[[], object] = _for_ever,
) -> int:
    """Run the simulator until it is interrupted.

    Args:
        arguments: The command line; `sys.argv` unless given.
        wait: Returns, or raises `KeyboardInterrupt`, when it is time to stop.

    Returns:
        The exit status.
    """
    options = _parser().parse_args(arguments)
    try:
        with simulator(port=options.port, strict=options.strict) as sim:
            for name, reply in FAULTS.items():
                sim.script(name, reply)
            sys.stdout.write(_guide(sim))
            sys.stdout.flush()
            wait()
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    except (ImportError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m langchain_reliable.testing",
        description="A loopback server that fails like the providers' APIs do.",
    )
    parser.add_argument("--port", type=int, default=PORT, help="default: %(default)s")
    parser.add_argument(
        "--strict", action="store_true", help="refuse what the real APIs would refuse"
    )
    return parser


def _guide(sim: Simulator) -> str:
    return GUIDE.format(
        url=sim.url,
        openai_url=sim.openai_url,
        anthropic_url=sim.anthropic_url,
        gemini_url=sim.gemini_url,
        bedrock_url=sim.bedrock_url,
        cohere_url=sim.cohere_url,
        ollama_url=sim.ollama_url,
        openrouter_url=sim.openrouter_url,
        names="\n  ".join(FAULTS),
    )


if __name__ == "__main__":
    raise SystemExit(main())
