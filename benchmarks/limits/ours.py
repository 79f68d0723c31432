"""Our model in a process of its own: one group that knows its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from benchmarks.limits.load import RPM, take_part
from langchain_reliable import Candidate, Group, ReliableChatModel

if TYPE_CHECKING:
    from benchmarks.limits.load import Asking

SETTING: Final = 'Group([Candidate(model, rpm=60), ...], order="round_robin")'


def prepare(url: str, _name: str, deployments: list[str]) -> Asking:
    """Return what asks."""
    members = [
        Candidate(
            ChatOpenAI(model=one, base_url=url, api_key=SecretStr("sk-test")),
            name=one,
            rpm=RPM,
        )
        for one in deployments
    ]
    model = ReliableChatModel(models=[Group(members, order="round_robin")])
    return model.ainvoke


if __name__ == "__main__":
    take_part(prepare)
