"""What `with_structured_output` returns.

It asks the model for an answer in a form and has it read where tracers see it, as in
`model | parser`. Every answer brings its own child's parser; that it can be read was
found out within the attempt, unseen.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack, aclosing, closing
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.runnables import RunnableSerializable
from pydantic import ConfigDict, SkipValidation
from typing_extensions import override

from langchain_reliable._children.structured_output import OutputReader, OutputSpec
from langchain_reliable.chat_models._keywords import OUTPUT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator

    from langchain_core.messages import AIMessage
    from langchain_core.runnables import RunnableConfig
    from langchain_core.runnables.utils import (
        AnyConfigurableField,
        ConfigurableFieldSpec,
    )

    from langchain_reliable._children.structured_output import ChildOutput


class Asked(Protocol):
    """What a view stands before."""

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> AIMessage:
        """Return an answer."""

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> AIMessage:
        """Return an answer; the twin of `invoke`."""

    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[Any]:
        """Stream an answer."""

    def astream(
        self, input: Any, config: Any = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """Stream an answer; the twin of `stream`."""

    def first_form(self, spec: OutputSpec) -> ChildOutput:
        """Return the form of whoever is asked first."""


class StructuredOutput(RunnableSerializable[LanguageModelInput, Any]):
    """A model whose answers have a form; retries and failover are the model's own."""

    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())

    model: SkipValidation[Any]
    spec: SkipValidation[OutputSpec]

    # --- configured with LCEL -----------------------------------------------------

    @override
    def configurable_fields(
        self, **kwargs: AnyConfigurableField
    ) -> RunnableSerializable[LanguageModelInput, Any]:
        """Let calls set fields of the model; the view has none that a call would."""
        configurable = self.model.configurable_fields(**kwargs)
        return self.model_copy(update={"model": configurable})

    @property
    @override
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        return cast("list[ConfigurableFieldSpec]", self.model.config_specs)

    # --- a whole answer -----------------------------------------------------------

    @override
    def invoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        return self._call_with_config(
            cast("Any", self._answer), input, config, **kwargs
        )

    @override
    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        return await self._acall_with_config(
            cast("Any", self._aanswer), input, config, **kwargs
        )

    def _answer(
        self, question: LanguageModelInput, config: RunnableConfig, **kwargs: Any
    ) -> Any:
        output = OutputReader(self.spec)
        keywords = self._keywords(output, kwargs)
        message = self._model.invoke(question, config, **keywords)
        return self._form(output).parsed(message, config)

    async def _aanswer(
        self, question: LanguageModelInput, config: RunnableConfig, **kwargs: Any
    ) -> Any:
        output = OutputReader(self.spec)
        keywords = self._keywords(output, kwargs)
        message = await self._model.ainvoke(question, config, **keywords)
        return await self._form(output).aparsed(message, config)

    # --- a stream -----------------------------------------------------------------

    @override
    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        **kwargs: Any | None,
    ) -> Iterator[Any]:
        yield from self.transform(iter([input]), config, **kwargs)

    @override
    async def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        **kwargs: Any | None,
    ) -> AsyncIterator[Any]:
        pieces = self.atransform(_only(input), config, **kwargs)
        async with aclosing(cast("AsyncGenerator[Any]", pieces)):
            async for piece in pieces:
                yield piece

    @override
    def transform(
        self,
        input: Iterator[LanguageModelInput],
        config: RunnableConfig | None = None,
        **kwargs: Any | None,
    ) -> Iterator[Any]:
        yield from self._transform_stream_with_config(
            input, cast("Any", self._pieces), config, **kwargs
        )

    @override
    async def atransform(
        self,
        input: AsyncIterator[LanguageModelInput],
        config: RunnableConfig | None = None,
        **kwargs: Any | None,
    ) -> AsyncIterator[Any]:
        pieces = self._atransform_stream_with_config(
            input, cast("Any", self._apieces), config, **kwargs
        )
        async with aclosing(cast("AsyncGenerator[Any]", pieces)):
            async for piece in pieces:
                yield piece

    def _pieces(
        self,
        questions: Iterator[LanguageModelInput],
        config: RunnableConfig,
        **kwargs: Any,
    ) -> Iterator[Any]:
        output = OutputReader(self.spec)
        question = _whole(list(questions))
        keywords = self._keywords(output, kwargs)
        chunks = cast(
            "Generator[Any]", self._model.stream(question, config, **keywords)
        )
        with closing(chunks):
            first = next(chunks)
            pieces: Any = chain([first], chunks)
            with ExitStack() as left:
                for parser in self._form(output).parsers:
                    read = cast("Generator[Any]", parser.transform(pieces, config))
                    pieces = left.enter_context(closing(read))
                left.enter_context(closing(chunks))  # else a parser reads on to the end
                for piece in pieces:  # noqa: UP028 - that would leave the parsers first
                    yield piece

    async def _apieces(
        self,
        questions: AsyncIterator[LanguageModelInput],
        config: RunnableConfig,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        output = OutputReader(self.spec)
        question = _whole([one async for one in questions])
        keywords = self._keywords(output, kwargs)
        chunks = cast(
            "AsyncGenerator[Any]", self._model.astream(question, config, **keywords)
        )
        async with aclosing(chunks):
            first = await anext(chunks)
            pieces: Any = _after(first, chunks)
            async with AsyncExitStack() as left:
                for parser in self._form(output).parsers:
                    read = cast(
                        "AsyncGenerator[Any]", parser.atransform(pieces, config)
                    )
                    pieces = await left.enter_async_context(aclosing(read))
                await left.enter_async_context(aclosing(chunks))
                async for piece in pieces:
                    yield piece

    # --- both ---------------------------------------------------------------------

    @property
    def _model(self) -> Asked:
        return cast("Asked", self.model)

    def _keywords(self, output: OutputReader, kwargs: dict[str, Any]) -> dict[str, Any]:
        return {**self.spec.for_tracers, OUTPUT: output, **kwargs}

    def _form(self, output: OutputReader) -> ChildOutput:
        """Return the form of who answered; a cached answer is the first one's."""
        return output.form or self._model.first_form(self.spec)


def _whole(questions: list[Any]) -> Any:
    whole, *rest = questions
    for question in rest:
        whole = whole + question
    return whole


async def _only(value: Any) -> AsyncIterator[Any]:
    yield value


async def _after(first: Any, rest: AsyncIterator[Any]) -> AsyncIterator[Any]:
    yield first
    async for one in rest:
        yield one
