"""What the class of an exception says, by its qualified name along the MRO.

Facts only, a row per meaning with the place it comes from; no class is imported. A
name is written `package:Class`, the package cut to its first part (`google`, `azure`
and `langchain_reliable` to two); `*:Class` is a class of any package, and `*Error`
any class but a built-in one that ends so.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from langchain_reliable.failures import FailureKind as Kind

if TYPE_CHECKING:
    from collections.abc import Mapping


class Row(NamedTuple):
    """Classes with one meaning.

    `over` is empty where the class speaks only in the absence of a status; otherwise
    the class is more exact than these kinds found by status, and takes their place.
    """

    kind: Kind
    names: tuple[str, ...]
    source: str
    over: frozenset[Kind] = frozenset()


def _row(
    kind: Kind, names: str, source: str, over: frozenset[Kind] = frozenset()
) -> Row:
    return Row(kind, tuple(names.split()), source, over)


NOTHING_SENT: Final = frozenset(
    {
        *(
            f"{one}:ConnectError"
            for one in ("httpx", "httpx2", "httpcore", "httpcore2")
        ),
        *("builtins:ConnectionRefusedError", "socket:gaierror"),
        *("ssl:SSLCertVerificationError", "aiohttp:ClientConnectorError"),
        *("urllib3:NewConnectionError", "urllib3:NameResolutionError"),
        "botocore:EndpointConnectionError",
    }
)
"""Raised while a connection is being made: refused, no such host, no TLS. Nothing of
the request was sent by then, so asking another costs nobody anything."""

_HTTPX = (
    "{0}:ReadError {0}:WriteError {0}:ConnectError {0}:CloseError {0}:NetworkError "
    "{0}:ProxyError {0}:RemoteProtocolError {0}:LocalProtocolError {0}:ProtocolError "
    "{0}:TooManyRedirects {0}:StreamClosed {0}:ConnectionNotAvailable "
    "{0}:TransportError"
)
_VAGUE_REQUEST: Final = frozenset({Kind.BAD_REQUEST, Kind.UNKNOWN})
_ANY_STATUS: Final = frozenset(Kind)

# LangChain's own family and its partners (langchain-core 1.7, exceptions.py).
_LANGCHAIN: Final = (
    _row(
        Kind.CONTEXT_OVERFLOW,
        "langchain_core:ContextOverflowError",
        "wrong on some texts with `token limit`, so never over a 429",
        _VAGUE_REQUEST,
    ),
    _row(
        Kind.CONTENT_POLICY,
        "langchain_core:ModelRefusalError *:OpenAIRefusalError *:RefusalError",
        "a refusal where structured output was asked for (the family's since 1.7.5)",
        _ANY_STATUS,
    ),
    _row(
        Kind.INVALID_OUTPUT,
        "langchain_core:OutputParserException langchain:StructuredOutputError "
        "langchain:StructuredOutputValidationError "
        "langchain:MultipleStructuredOutputsError",
        "langchain_core.exceptions",
        _ANY_STATUS,
    ),
    _row(Kind.AUTH, "langchain_core:ModelAuthenticationError", "401"),
    _row(Kind.AUTH, "langchain_core:ModelPermissionDeniedError", "403"),
    _row(Kind.BAD_REQUEST, "langchain_core:ModelInvalidRequestError", "400"),
    _row(Kind.MODEL_NOT_FOUND, "langchain_core:ModelNotFoundError", "404"),
    _row(Kind.RATE_LIMITED, "langchain_core:ModelRateLimitError", "429"),
    _row(
        Kind.SERVER_ERROR,
        "langchain_core:ModelAPIError langchain_openai:OpenAIAPIError "
        "langchain_anthropic:AnthropicAPIError langchain_google_genai:GoogleAPIError",
        "5xx",
    ),
    _row(Kind.TIMEOUT, "langchain_core:ModelTimeoutError", "no status"),
    _row(Kind.CONNECTION, "langchain_core:ModelConnectionError", "no status"),
)

# Provider SDKs: what no status tells, or tells wrongly.
_SDKS: Final = (
    _row(
        Kind.BAD_STREAM,
        "*:APIResponseValidationError *:ResponseValidationError",
        "a good answer whose body the SDK cannot parse",
    ),
    _row(
        Kind.CONTENT_POLICY,
        "openai:ContentFilterFinishReasonError "
        "google.generativeai:StopCandidateException "
        "google.generativeai:BlockedPromptException vertexai:ResponseBlockedError "
        "google.cloud:ResponseBlockedError litellm:ContentPolicyViolationError "
        "litellm:GuardrailRaisedException litellm:BlockedPiiEntityError "
        "*:ContentPolicyViolationError *:GuardrailRaisedException",
        "openai-python, google-generativeai, vertexai, litellm",
        _ANY_STATUS,
    ),
    _row(
        Kind.INVALID_OUTPUT,
        "openai:LengthFinishReasonError litellm:JSONSchemaValidationError",
        "openai-python: output cut short where it was to be parsed; litellm",
        _ANY_STATUS,
    ),
    _row(
        Kind.CONTEXT_OVERFLOW,
        "litellm:ContextWindowExceededError *:ContextWindowExceededError",
        "litellm",
        _ANY_STATUS,
    ),
    _row(
        Kind.QUOTA_EXHAUSTED,
        "litellm:BudgetExceededError litellm:PaymentRequiredError "
        "*:PaymentRequiredError *:InsufficientBalanceError",
        "litellm, anthropic-python",
        _ANY_STATUS,
    ),
    _row(
        Kind.CONNECTION,
        "litellm:APIConnectionError",
        "litellm gives it a status of 500",
        _ANY_STATUS,
    ),
    _row(
        Kind.TIMEOUT,
        "litellm:Timeout *:APITimeoutError",
        "litellm gives it a status",
        _ANY_STATUS,
    ),
    _row(
        Kind.BAD_STREAM,
        "aiohttp:ContentTypeError aiohttp:ClientResponseError",
        "a 200 that is no JSON",
    ),
    _row(Kind.RATE_LIMITED, "litellm:RouterRateLimitError", "litellm router"),
    _row(Kind.SERVER_ERROR, "litellm:MidStreamFallbackError", "litellm"),
    _row(
        Kind.MODEL_NOT_FOUND,
        "huggingface_hub:RepositoryNotFoundError huggingface_hub:RevisionNotFoundError "
        "langchain_core:ModelNotFoundError",
        "huggingface_hub: a repository that is not there answers 401",
        frozenset({Kind.AUTH}),
    ),
    _row(
        Kind.AUTH,
        "huggingface_hub:GatedRepoError huggingface_hub:DisabledRepoError",
        "huggingface_hub; above RepositoryNotFoundError, whose child it is",
        frozenset({Kind.AUTH}),
    ),
    _row(Kind.AUTH, "huggingface_hub:LocalTokenNotFoundError", "huggingface_hub"),
    _row(
        Kind.TIMEOUT,
        "huggingface_hub:InferenceTimeoutError "
        "huggingface_hub:InferenceEndpointTimeoutError",
        "huggingface_hub: the model did not load in time",
        _ANY_STATUS,
    ),
    _row(
        Kind.SERVER_ERROR,
        "huggingface_hub:GenerationError huggingface_hub:IncompleteGenerationError "
        "huggingface_hub:InferenceEndpointError",
        "huggingface_hub",
    ),
    _row(
        Kind.BAD_REQUEST, "huggingface_hub:ValidationError", "text-generation-inference"
    ),
    _row(
        Kind.AUTH,
        "anthropic:CredentialsError openai:SubjectTokenProviderError openai:OAuthError "
        "google.genai:EphemeralTokenAPIKeyError google.auth:GoogleAuthError "
        "botocore:NoCredentialsError botocore:PartialCredentialsError "
        "botocore:CredentialRetrievalError botocore:NoAuthTokenError "
        "botocore:TokenRetrievalError botocore:SSOError botocore:LoginError "
        "botocore:ProfileNotFound botocore:UnauthorizedSSOTokenError "
        "botocore:SSOTokenLoadError google.auth:RefreshError google.auth:OAuthError "
        "google.auth:MutualTLSChannelError anthropic:IdentityTokenFileError "
        "azure.core:ClientAuthenticationError "
        "azure.identity:CredentialUnavailableError",
        "anthropic, openai, google-auth, botocore and azure sources",
    ),
    _row(Kind.CONNECTION, "google.auth:TransportError", "google-auth"),
    _row(Kind.TIMEOUT, "google.auth:TimeoutError", "google-auth"),
    _row(Kind.TIMEOUT, "google.api_core:RetryError", "its deadline ran out"),
    _row(
        Kind.BAD_STREAM,
        "google.genai:UnknownApiResponseError",
        "google-genai: a stream cut in the middle of an event",
    ),
    _row(
        Kind.BAD_REQUEST,
        "botocore:ParamValidationError botocore:NoRegionError "
        "botocore:UnknownServiceError botocore:InvalidRegionError "
        "botocore:InvalidConfigError botocore:UnknownEndpointError ollama:RequestError "
        "litellm:UnsupportedParamsError litellm:LiteLLMUnknownProvider "
        "google.genai:UnsupportedFunctionError",
        "refused before a request was sent",
    ),
    _row(
        Kind.TIMEOUT,
        "botocore:ReadTimeoutError botocore:ConnectTimeoutError",
        "botocore.exceptions",
    ),
    _row(
        Kind.CONNECTION,
        "botocore:ConnectionError botocore:HTTPClientError "
        "botocore:IncompleteReadError botocore:ResponseStreamingError "
        "mistralai:NoResponseError openai:WebSocketConnectionClosedError "
        "azure.core:ServiceRequestError azure.core:ServiceResponseError "
        "azure.core:IncompleteReadError",
        "botocore, mistralai, openai, azure-core",
    ),
    _row(Kind.RATE_LIMITED, "botocore:CapacityNotAvailableError", "botocore"),
    _row(
        Kind.BAD_STREAM,
        "botocore:ParserError botocore:ChecksumMismatch botocore:InvalidHeadersLength "
        "botocore:InvalidPayloadLength botocore:DuplicateHeader "
        "botocore:ResponseParserError botocore:EventStreamError",
        "botocore.eventstream",
    ),
)

# Transports, for when nothing of HTTP was left to be read.
_TRANSPORTS: Final = (
    _row(
        Kind.TIMEOUT,
        "builtins:TimeoutError httpx:TimeoutException httpx2:TimeoutException "
        "httpcore:TimeoutException httpcore2:TimeoutException requests:Timeout "
        "requests:ConnectTimeout "
        "urllib3:TimeoutError aiohttp:ServerTimeoutError aiohttp:SocketTimeoutError "
        "aiohttp:ConnectionTimeoutError socket:timeout "
        "asyncio:TimeoutError concurrent:TimeoutError "
        "azure.core:ServiceResponseTimeoutError "
        "azure.core:ServiceRequestTimeoutError async_timeout:TimeoutError",
        "Python and HTTP libraries",
    ),
    _row(
        Kind.BAD_REQUEST,
        "httpx:UnsupportedProtocol httpx2:UnsupportedProtocol httpx:InvalidURL "
        "httpx2:InvalidURL httpcore:UnsupportedProtocol httpcore2:UnsupportedProtocol "
        "requests:MissingSchema requests:InvalidSchema requests:InvalidURL "
        "aiohttp:NonHttpUrlClientError aiohttp:InvalidUrlClientError "
        "aiohttp:InvalidURL urllib3:LocationParseError",
        "a base URL that is none",
    ),
    _row(
        Kind.BAD_STREAM,
        "httpx:DecodingError httpx2:DecodingError requests:ContentDecodingError "
        "requests:InvalidJSONError urllib3:DecodeError *:JSONDecodeError "
        "builtins:UnicodeDecodeError *:SSEError zlib:error",
        "bytes that came but cannot be read",
    ),
    *(
        _row(Kind.CONNECTION, _HTTPX.format(package), package)
        for package in ("httpx", "httpx2", "httpcore", "httpcore2")
    ),
    _row(
        Kind.CONNECTION,
        "urllib3:NewConnectionError",
        "urllib3 calls it a timeout, and refused connections as well",
    ),
    _row(
        Kind.AUTH,
        "requests:InvalidHeader urllib3:InvalidHeader",
        "a key with a line break in it",
    ),
    _row(
        Kind.CONNECTION,
        "builtins:ConnectionError socket:gaierror socket:herror ssl:SSLError "
        "requests:ConnectionError requests:ChunkedEncodingError "
        "requests:TooManyRedirects "
        "requests:RetryError urllib3:HTTPError http:HTTPException urllib:URLError "
        "aiohttp:ClientConnectionError aiohttp:ClientPayloadError aiohttp:ClientError "
        "aiohttp:TooManyRedirects h11:ProtocolError h2:H2Error h2:ProtocolError "
        "anyio:BrokenResourceError anyio:ClosedResourceError anyio:EndOfStream "
        "anyio:IncompleteRead anyio:ConnectionFailed asyncio:IncompleteReadError "
        "websockets:WebSocketException websocket:WebSocketException "
        "builtins:EOFError certifi:CertificateError trio:BrokenResourceError "
        "websockets:ConnectionClosed aiohttp:ServerDisconnectedError "
        "aiohttp:ClientConnectorError aiohttp:ClientConnectorSSLError "
        "aiohttp:ClientConnectorCertificateError aiohttp:ClientConnectorDNSError "
        "aiohttp:ClientOSError aiohttp:ClientProxyConnectionError "
        "aiohttp:PayloadEncodingError aiohttp:ContentLengthError "
        "aiohttp:TransferEncodingError aiohttp:ContentEncodingError "
        "aiohttp:HttpProcessingError aiohttp:BadHttpMessage aiohttp:BadStatusLine "
        "aiohttp:LineTooLong aiohttp:ClientConnectionResetError "
        "aiohttp:ServerFingerprintMismatch aiohttp:ServerConnectionError "
        "h2:StreamClosedError h2:ConnectionTerminated "
        "urllib3:ProtocolError urllib3:MaxRetryError urllib3:NameResolutionError "
        "http:RemoteDisconnected http:IncompleteRead http:BadStatusLine "
        "h11:RemoteProtocolError h11:LocalProtocolError *:SSLError *:ProxyError "
        "*:IncompleteRead ssl:SSLCertVerificationError ssl:SSLEOFError "
        "ssl:SSLZeroReturnError ssl:SSLSyscallError "
        "*:ConnectionClosedError",
        "Python and HTTP libraries",
    ),
)

# Class names that mean the same in every package, SDKs made by generators above all.
_ANYWHERE: Final = (
    _row(
        Kind.RATE_LIMITED,
        "*:RateLimitError *:RateLimitException *:TooManyRequests "
        "*:TooManyRequestsError *:TooManyRequestsException *:APIReachLimitError "
        "*:ResourceExhausted *:RateLimitExceeded *:RateLimitExceededError "
        "*:ThrottlingException *:RequestLimitExceeded",
        "openai, anthropic, groq, cohere, together, fireworks, zhipuai, databricks",
    ),
    _row(
        Kind.AUTH,
        "*:AuthenticationError *:APIAuthenticationError *:UnauthorizedError "
        "*:Unauthorized *:Unauthenticated *:PermissionDenied *:PermissionDeniedError "
        "*:ForbiddenError *:Forbidden *:InvalidApiKeyError *:InvalidCredentialsError "
        "*:NotEnoughPermissionError",
        "the same SDKs",
    ),
    _row(
        Kind.MODEL_NOT_FOUND,
        "*:NotFoundError *:NotFound *:ModelNotFoundError *:InvalidModel "
        "*:UnsupportedModel *:ResourceDoesNotExist",
        "the same SDKs; dashscope",
    ),
    _row(
        Kind.TIMEOUT,
        "*:DeadlineExceeded *:GatewayTimeout *:GatewayTimeoutError *:Timeout "
        "*:TimeoutException *:RequestTimeoutError *:RequestTimeout",
        "google-api-core, databricks, dashscope",
    ),
    _row(
        Kind.CONNECTION,
        "*:APIConnectionError *:ConnectionError *:ConnectError *:ConnectionTimeout",
        "the same SDKs",
    ),
    _row(
        Kind.SERVER_ERROR,
        "*:InternalServerError *:ServiceUnavailableError *:ServiceUnavailable "
        "*:OverloadedError *:APIInternalError *:APIServerFlowExceedError *:BadGateway "
        "*:BadGatewayError *:ServerError *:InternalError *:TemporarilyUnavailable "
        "*:InvalidResponseError",
        "the same SDKs",
    ),
    _row(
        Kind.BAD_REQUEST,
        "*:BadRequestError *:BadRequest *:InvalidRequestError *:InvalidArgument "
        "*:UnprocessableEntityError *:APIRequestFailedError *:HTTPValidationError "
        "*:ConflictError *:RequestTooLargeError *:ContentTooLargeError "
        "*:InvalidParameter *:InvalidInput *:ModelRequired *:InputRequired "
        "*:InvalidParameterValue *:FailedPrecondition",
        "the same SDKs; dashscope",
    ),
)

# How class names end that mean the same in every package: LangChain's partners put
# the provider's name in front.
_ENDINGS: Final = (
    _row(
        Kind.CONTEXT_OVERFLOW,
        "*ContextOverflowError",
        "langchain_openai, langchain_anthropic, langchain_google_genai",
        _VAGUE_REQUEST,
    ),
    _row(Kind.CONTENT_POLICY, "*RefusalError", "langchain_openai", _ANY_STATUS),
    _row(Kind.RATE_LIMITED, "*RateLimitError *TooManyRequestsError", "partners"),
    _row(
        Kind.AUTH,
        "*AuthenticationError *PermissionDeniedError *CredentialsError *ApiKeyError",
        "partners; google-auth",
    ),
    _row(Kind.MODEL_NOT_FOUND, "*ModelNotFoundError", "partners"),
    _row(
        Kind.TIMEOUT,
        "*TimeoutError *Timeout *TimeoutException *DeadlineExceededError",
        "partners; HTTP libraries",
    ),
    _row(
        Kind.CONNECTION,
        "*ConnectionError *ConnectError *ConnectorError *DisconnectedError",
        "partners; HTTP libraries",
    ),
    _row(
        Kind.SERVER_ERROR,
        "*OverloadedError *ServiceUnavailableError *InternalServerError",
        "partners",
    ),
    _row(Kind.BAD_REQUEST, "*InvalidRequestError *BadRequestError", "partners"),
)

IN_STREAM: Final = _row(
    Kind.BAD_STREAM,
    "openai:APIError openai:APIStatusError anthropic:APIError anthropic:APIStatusError "
    "groq:APIError groq:APIStatusError cerebras:APIError cerebras:APIStatusError",
    "the bare classes of an error event inside a stream; for one of no known kind",
)
"""Classes, not their children, that mean this where nothing else says anything."""

DISCONNECTED: Final = frozenset(
    {
        "aiohttp:ServerDisconnectedError",
        "aiohttp:ClientConnectionResetError",
        "builtins:ConnectionResetError",
        "builtins:BrokenPipeError",
        "http:RemoteDisconnected",
    }
)
"""Classes of a peer who left; httpx over aiohttp makes a timeout of the first."""

INVENTING: Final = "litellm:"
"""The package whose exceptions carry a status that no server has sent."""

ROWS: Final = _LANGCHAIN + _SDKS + _TRANSPORTS + _ANYWHERE + _ENDINGS

BY_NAME: Final[Mapping[str, Row]] = {
    name: row for row in reversed(ROWS) for name in row.names
}
"""A class, as `package:Class` or `*:Class`, and what it says; the upper row wins."""

_BY_ENDING: Final = tuple((name[1:], row) for row in _ENDINGS for name in row.names)


@lru_cache(maxsize=512)
def rows_of(names: tuple[str, ...]) -> tuple[Row, ...]:
    """Return what a class says, and then what its bases say."""
    return tuple(row for row in map(_row_of, names) if row is not None)


def _row_of(name: str) -> Row | None:
    if (row := BY_NAME.get(name)) is not None or name.startswith("builtins:"):
        return row
    simple = name.partition(":")[2]
    if (row := BY_NAME.get(f"*:{simple}")) is not None:
        return row
    return next((row for end, row in _BY_ENDING if simple.endswith(end)), None)
