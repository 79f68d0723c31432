"""A forked process calls, whatever other threads were computing when it was made."""

from __future__ import annotations

import faulthandler
import os
import threading
from contextlib import ExitStack
from functools import cached_property

import pytest
from langchain_core.language_models import BaseChatModel

from langchain_reliable import ReliableChatModel
from langchain_reliable._children.structured_output import OutputSpec
from langchain_reliable.chat_models._router import Router
from langchain_reliable.testing import ScriptedChatModel

LOCKS = [
    one.lock
    for cls in (BaseChatModel, Router, OutputSpec)
    for one in vars(cls).values()
    if isinstance(one, cached_property) and hasattr(one, "lock")
]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")
@pytest.mark.skipif(not LOCKS, reason="later Pythons compute without a lock")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_what_a_thread_was_computing_is_computed_in_the_child():
    model = ReliableChatModel(models=[ScriptedChatModel(model="a", script=["hi"])])
    at_work, over = threading.Event(), threading.Event()

    def compute():
        with ExitStack() as stack:
            for lock in LOCKS:
                stack.enter_context(lock)
            at_work.set()
            over.wait(10)

    thread = threading.Thread(target=compute)
    thread.start()
    assert at_work.wait(10)
    if (child := os.fork()) == 0:
        faulthandler.dump_traceback_later(10, exit=True)
        os._exit(0 if model.invoke("?").text == "hi" else 3)
    over.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
