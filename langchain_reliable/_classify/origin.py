"""Whose exception it is: a provider's, or one that must leave untouched.

Told by class and by the modules that the traceback passes through.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from langchain_reliable.failures import FailureKind as Kind

if TYPE_CHECKING:
    from types import FrameType

_PASS_UNTOUCHED: Final = frozenset(
    {
        "langchain_core:ToolException",
        "langchain_core:SchemaAnnotationError",
        "langchain_core:TracerException",
        "vcr:CannotOverwriteExistingCassetteException",
    }
)
_PASS_PACKAGES: Final = ("langgraph:", "langgraph_api:", "langgraph_runtime:")
_TEST_FAULT: Final = "vcr:CannotOverwriteExistingCassetteException"

_MISTAKES: Final = frozenset(
    {
        "builtins:TypeError",
        "builtins:LookupError",
        "builtins:AttributeError",
        "builtins:AssertionError",
        "builtins:NameError",
        "builtins:ImportError",
        "builtins:NotImplementedError",
        "builtins:ArithmeticError",
        "builtins:SyntaxError",
        "builtins:MemoryError",
        "builtins:ReferenceError",
        "builtins:RecursionError",
        "builtins:StopIteration",
        "builtins:StopAsyncIteration",
        "pydantic_core:ValidationError",
        "pydantic:ValidationError",
        "pydantic:PydanticUserError",
    }
)
"""Built-in classes that mean a mistake in code, somewhere."""

_SDKS: Final = frozenset(
    [
        "openai",
        "anthropic",
        "groq",
        "cohere",
        "mistralai",
        "ollama",
        "together",
        "fireworks",
        "litellm",
        "botocore",
        "boto3",
        "vertexai",
        "huggingface_hub",
        "text_generation",
        "transformers",
        "dashscope",
        "zhipuai",
        "zai",
        "ibm_watsonx_ai",
        "databricks",
        "cerebras",
        "replicate",
        "ai21",
        "aleph_alpha_client",
        "qianfan",
        "volcenginesdkarkruntime",
        "perplexity",
        "xai_sdk",
        "writerai",
        "sambanova",
        "reka",
        "upstage",
        "llama_cpp",
        "gigachat",
        "yandex_cloud_ml_sdk",
        "sparkai",
        "tencentcloud",
        "openrouter",
        "langchain_community.chat_models",
        "langchain_community.llms",
        "google.genai",
        "google.generativeai",
        "google.api_core",
        "google.auth",
        "google.ai",
        "google.cloud.aiplatform",
        "google.cloud.aiplatform_v1",
        "google.cloud.aiplatform_v1beta1",
        "azure.ai",
        "azure.core",
        "azure.identity",
    ]
)
_NO_PARTNERS: Final = frozenset(
    [
        "langchain_core",
        "langchain_classic",
        "langchain_community",
        "langchain_experimental",
        "langchain_text_splitters",
        "langchain_tests",
        "langchain_protocol",
        "langchain_reliable",
        "langchain_mcp_adapters",
    ]
)
_HELPERS: Final = frozenset(
    [
        "langchain_core",
        "pydantic",
        "pydantic_core",
        "httpx",
        "httpx2",
        "httpcore",
        "httpcore2",
        "h11",
        "anyio",
        "requests",
        "urllib3",
        "aiohttp",
        "grpc",
        "tenacity",
        "backoff",
        "jiter",
        "orjson",
        "typing_extensions",
        "tiktoken",
        "google",
        "proto",
        "jsonschema",
        "PIL",
        "numpy",
        "sniffio",
        "eval_type_backport",
    ]
)
"""Libraries that SDKs call: a frame of theirs says nothing."""

_STDLIB: Final = sys.stdlib_module_names
_FRAMES_AT_MOST: Final = 5_000
_LOOKED_AT: Final = 100

_BEFORE: Final = (
    "unexpected keyword argument",
    "multiple values for",
    "required positional argument",
    "required keyword-only argument",
    "missing required arguments",
    "extra inputs are not permitted",
    "is not json serializable",
)
"""What Python says of a call that never became a request."""

_PREPARING: Final = (
    "payload",
    "prepare",
    "format_message",
    "format_tool",
    "format_image",
    "parse_chat_history",
    "message_to",
    "messages_to",
    "convert_to",
    "_to_dict",
    "transform",
    "build",
    "get_request",
    "request_params",
    "_params",
    "validate_environment",
    "bind_tools",
)
_ANSWERING: Final = (
    "create_chat_result",
    "generation_info",
    "model_construct",
    "construct_type",
    "extract_",
    "result",
    "chunk",
    "response",
    "dict_to",
    "_from",
    "parse",
    "iter",
    "stream",
    "delta",
    "usage",
)


_ASKING: Final = frozenset({"_generate", "_agenerate"})
_MISSING: Final = "'nonetype' object"
"""What Python says of an answer that lacks a part, in the hook that asked for it."""
_NOTHING_THERE: Final = "'nonetype' object has no attribute"
"""What Python says of a part that is missing in an answer, in lower case."""

_PARSING_FORMS: Final = frozenset({"_parse_content", "parse_text", "parse_response"})
"""Functions of the OpenAI SDK that read an answer as the form that was asked for."""


def passes_untouched(names: tuple[str, ...]) -> bool:
    """Say whether the class alone tells that this is no provider's failure."""
    return any(
        name in _PASS_UNTOUCHED or name.startswith(_PASS_PACKAGES) for name in names
    )


def is_test_fault(names: tuple[str, ...]) -> bool:
    """Say whether a cassette lacks the request: a test's fault, wherever it is."""
    return _TEST_FAULT in names


def is_mistake(names: tuple[str, ...]) -> bool:
    """Say whether the class means a mistake in code, be it ours, theirs or an SDK's.

    A class that an SDK made itself is never one, whatever its bases.
    """
    if names[0] not in _MISTAKES and _is_library(names[0].split(":")[0]):
        return False
    return any(name in _MISTAKES for name in names)


def _is_library(package: str) -> bool:
    return package in _SDKS or package in _HELPERS or _is_partner(package)


def kind_of_mistake(exception: BaseException, text: str) -> Kind | None:
    """Say what a mistake raised within an SDK is; `None` if it was raised elsewhere.

    Before a request was sent the request is bad; after it the answer could not be
    parsed, or it was no answer in the form that was asked for.
    """
    place = _place_in_sdk(exception)
    if place is None:
        return None
    if any(phrase in text for phrase in _BEFORE):
        return Kind.BAD_REQUEST
    for name in place:
        if name in _PARSING_FORMS:
            return Kind.INVALID_OUTPUT
        if any(part in name for part in _PREPARING):
            return Kind.BAD_REQUEST
        if any(part in name for part in _ANSWERING):
            # Azure's filter leaves the message out, and will again: no use asking.
            return Kind.UNKNOWN if _NOTHING_THERE in text else Kind.BAD_STREAM
    missing = _MISSING in text and place[0] in _ASKING
    return Kind.BAD_STREAM if missing else Kind.UNKNOWN


def is_foreign(exception: BaseException) -> bool:
    """Say whether an error of Python's was raised outside SDKs and libraries.

    Its words are the user's own then. Where there is no traceback nothing is known.
    """
    if exception.__traceback__ is None or type(exception).__module__ != "builtins":
        return False
    return _place_in_sdk(exception) is None and not _is_librarys(exception)


def _is_librarys(exception: BaseException) -> bool:
    """Say whether a library of `_HELPERS` raised it, LangChain's core among them."""
    roots = (_module(frame).split(".", 1)[0] for frame in reversed(_frames(exception)))
    return next(filter(lambda root: root not in _STDLIB, roots), "") in _HELPERS


def _place_in_sdk(exception: BaseException) -> tuple[str, ...] | None:
    """Name the functions of an SDK nearest to the place where it was raised.

    The frames are gone through from the innermost outward. Helpers are skipped; if
    anything else comes before the first frame of an SDK, that is where it was raised:
    a callback or a tool that an SDK called.
    """
    names: list[str] = []
    for frame in reversed(_frames(exception)):
        module = _module(frame)
        if _is_sdk(module):
            names.append(frame.f_code.co_name)
        elif names or not _is_helper(module):
            break
    return tuple(names) or None


def _frames(exception: BaseException) -> list[FrameType]:
    frames: list[FrameType] = []
    step = exception.__traceback__
    for _ in range(_FRAMES_AT_MOST):
        if step is None:
            break
        frames.append(step.tb_frame)
        step = step.tb_next
    return frames[-_LOOKED_AT:]


def _module(frame: FrameType) -> str:
    """Name the module of a frame; where it has no name, by its file."""
    name = frame.f_globals.get("__name__")
    if isinstance(name, str) and name != "__main__":
        return name
    path = frame.f_code.co_filename.replace("\\", "/")
    _, found, tail = path.rpartition("site-packages/")
    return tail.removesuffix(".py").replace("/", ".") if found else ""


def _is_partner(package: str) -> bool:
    return package.startswith("langchain_") and package not in _NO_PARTNERS


def _is_sdk(module: str) -> bool:
    parts = module.split(".")
    return _is_partner(parts[0]) or any(
        ".".join(parts[:length]) in _SDKS for length in (1, 2, 3)
    )


def _is_helper(module: str) -> bool:
    root = module.split(".", 1)[0]
    return root in _HELPERS or root in _STDLIB
