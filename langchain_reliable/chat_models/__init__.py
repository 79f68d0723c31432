"""The chat model itself, and all that LangChain asks of one.

`model` has the four hooks, `settings` the fields and their validation. A call is made
in `_call_factory` and carried out by `_execution`; what others ask of a model that they
do not call (tools, identity, cache, profile) is answered in `_langchain`.
"""

from langchain_reliable.chat_models.model import ReliableChatModel

__all__ = ["ReliableChatModel"]
