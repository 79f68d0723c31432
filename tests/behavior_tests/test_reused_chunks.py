"""A child may write every word into one and the same object; nobody sees it twice."""

from __future__ import annotations

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_reliable import Hedge, ReliableChatModel, StreamInterrupted

WORDS = [f"{number} " for number in range(40)]
WHOLE = "".join(WORDS)
NO_LIMITS = {"first_chunk_timeout": None, "idle_timeout": None}


class Thrifty(BaseChatModel):
    """Streams, and makes no more objects than it must."""

    same_chunk: bool
    same_message: bool
    silent: int = 0
    cut: bool = False

    @property
    def _llm_type(self):
        return "thrifty"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        raise NotImplementedError

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):
        message = AIMessageChunk(content="")
        chunk = ChatGenerationChunk(message=message)
        for word in [""] * self.silent + WORDS:
            if self.same_message:
                message.content = word
            else:
                message = AIMessageChunk(content=word)
            if self.same_chunk:
                chunk.message, chunk.text = message, word
            else:
                chunk = ChatGenerationChunk(message=message)
            yield chunk
        if self.cut:
            raise ConnectionResetError("cut")
        yield ChatGenerationChunk(
            message=AIMessageChunk(content="", chunk_position="last")
        )

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        for chunk in self._stream(messages):
            yield chunk


class Ends(BaseCallbackHandler):
    """Keeps what LangChain has added up."""

    def __init__(self):
        self.texts = []

    def on_llm_end(self, response, **kwargs):
        self.texts.append(response.generations[0][0].message.text)


@pytest.fixture(params=["stream", "astream"])
def read(request, run):
    def read(model, listener=None):
        config = {"callbacks": [listener] if listener else []}
        seen = []

        async def areads():
            async for chunk in model.astream("?", config=config):
                seen.append(chunk.text)  # noqa: PERF401 - kept when it breaks

        try:
            if request.param == "astream":
                run(areads())
            else:
                seen.extend(chunk.text for chunk in model.stream("?", config=config))
        except StreamInterrupted as error:
            return "".join(seen), error
        return "".join(seen), None

    return read


each_kind = pytest.mark.parametrize(
    "reused",
    [
        {"same_chunk": True, "same_message": True},
        {"same_chunk": True, "same_message": False},
        {"same_chunk": False, "same_message": True},
    ],
    ids=["chunk and message", "chunk", "message"],
)
each_mode = pytest.mark.parametrize(
    "settings",
    [{}, NO_LIMITS, {"hedge": Hedge(after=60)}],
    ids=["limits", "no limits", "hedged"],
)


@each_kind
@each_mode
@pytest.mark.parametrize("silent", [0, 3])
def test_the_caller_and_langchain_hold_every_word_once(read, reused, settings, silent):
    child, listener = Thrifty(silent=silent, **reused), Ends()
    other = Thrifty(silent=silent, **reused)
    seen, _ = read(ReliableChatModel(models=[child, other], **settings), listener)
    assert seen == WHOLE
    assert listener.texts == [WHOLE]


@each_kind
@each_mode
def test_an_interrupted_answer_holds_every_word_once(read, reused, settings):
    models = [Thrifty(cut=True, **reused), Thrifty(**reused)]
    seen, error = read(ReliableChatModel(models=models, **settings))
    assert seen == error.partial.text == WHOLE


@each_kind
def test_a_whole_answer_that_is_held_has_every_word_once(read, reused):
    model = ReliableChatModel(models=[Thrifty(**reused)], commit_on="complete")
    assert read(model)[0] == WHOLE
