"""Models written down in a file: `ReliableChatModel.from_config`.

A file becomes the fields of the constructor. There are two dialects, told apart by
`model_list`: ours, which is those fields themselves, and the configuration of LiteLLM's
Router, which is translated by the tables in `_table`. Nothing in a file is ever
imported, called or filled in, except for `os.environ/NAME`.
"""

from langchain_reliable.config._checked import said_at
from langchain_reliable.config._fields import fields_from_config

__all__ = ["fields_from_config", "said_at"]
