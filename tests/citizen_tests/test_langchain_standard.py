"""LangChain's own standard suites, around simulated and scripted children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_openai import ChatOpenAI
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_reliable import ReliableChatModel

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


class Alone(ReliableChatModel):
    """Takes what the suite gives to a chat model, and hands it to its only child."""

    def __init__(self, **params: Any) -> None:
        super().__init__(models=[ChatOpenAI(**params)])

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return False  # what it takes is not what it holds


class AfterADeadOne(Alone):
    """The same after a child that never answers."""

    def __init__(self, **params: Any) -> None:
        down = ChatOpenAI(**{**params, "base_url": "http://127.0.0.1:1/v1"})
        ReliableChatModel.__init__(self, models=[down, ChatOpenAI(**params)])


class TestAlone(ChatModelUnitTests):
    model_class: type[BaseChatModel] = Alone

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return self.model_class

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "gpt-x", "api_key": "sk-test"}


class TestAfterADeadOne(TestAlone):
    model_class = AfterADeadOne
