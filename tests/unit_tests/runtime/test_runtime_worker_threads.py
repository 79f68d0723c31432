"""Threads are kept for a while for more work, and not for longer."""

from __future__ import annotations

import gc
import os
import queue
import threading
import weakref

import pytest
from our_threads import wait_for_rest

from langchain_reliable._runtime import worker_threads
from langchain_reliable._runtime.worker_threads import in_a_thread


@pytest.fixture(autouse=True)
def no_others(monkeypatch):
    assert wait_for_rest()
    monkeypatch.setattr(worker_threads, "_idle", [])


def ran_by():
    """Return the thread that did a piece of work, once it is at rest again."""
    told = queue.SimpleQueue()
    in_a_thread(lambda: told.put(threading.current_thread()))
    thread = told.get(timeout=30)
    assert wait_for_rest()
    return thread


def test_a_thread_is_used_again():
    assert ran_by() is ran_by()


def test_two_pieces_of_work_never_wait_for_each_other():
    both = threading.Barrier(3)
    in_a_thread(lambda: both.wait(30))
    in_a_thread(lambda: both.wait(30))
    both.wait(30)


def test_a_thread_without_work_ends(monkeypatch):
    monkeypatch.setattr(worker_threads, "IDLE_SECONDS", 0.01)
    thread = ran_by()
    thread.join(30)
    assert not thread.is_alive()
    assert worker_threads._idle == []
    assert ran_by() is not thread


def test_no_more_wait_than_is_allowed(monkeypatch):
    monkeypatch.setattr(worker_threads, "MAX_IDLE", 0)
    thread = ran_by()
    thread.join(30)
    assert not thread.is_alive()


def test_a_thread_at_rest_holds_nothing_of_its_work():
    class Work:
        def __call__(self):
            pass

    work = Work()
    gone = weakref.ref(work)
    in_a_thread(work)
    del work
    assert wait_for_rest()
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_process_starts_threads_of_its_own():
    ran_by()
    assert worker_threads._idle
    if (child := os.fork()) == 0:
        os._exit(len(worker_threads._idle))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
