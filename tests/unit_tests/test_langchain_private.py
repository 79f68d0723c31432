"""LangChain's private names are gathered: what a release may break is seen here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from langchain_core.language_models import BaseChatModel

import langchain_reliable
from langchain_reliable._text import langchain_private

HOUSE = Path(langchain_reliable.__file__).parent
GATHERED = "_text/langchain_private.py"
THEIRS = ("langchain", "langchain_core", "langgraph", "langsmith")

HOOKS = {
    "_agenerate",
    "_astream",
    "_combine_llm_outputs",
    "_generate",
    "_get_ls_params",
    "_identifying_params",
    "_llm_type",
    "_stream",
}
"""Underscored methods that LangChain documents for whoever writes a chat model."""

PRIVATE_METHODS = {
    "_acall_with_config": {"chat_models/_structured_output.py"},
    "_agenerate_with_cache": {"chat_models/_langchain.py"},
    "_atransform_stream_with_config": {"chat_models/_structured_output.py"},
    "_call_with_config": {"chat_models/_structured_output.py"},
    "_convert_cached_generations": {"_children/cache.py"},
    "_generate_with_cache": {"chat_models/_langchain.py"},
    "_get_invocation_params": {"_children/callbacks.py"},
    "_get_llm_string": {"_children/cache.py"},
    "_serialized": {"_children/callbacks.py"},
    "_should_stream": {"_children/chat_model.py", "chat_models/model.py"},
    "_should_use_protocol_streaming": {"chat_models/model.py"},
    "_streaming_disabled": {"chat_models/model.py"},
    "_transform_stream_with_config": {"chat_models/_structured_output.py"},
}
"""Those that it does not, and who calls them. A child may have its own of each, so they
are called on it, where they are needed."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def is_theirs(module: str | None) -> bool:
    return (module or "").partition(".")[0] in THEIRS


def private_imports(tree: ast.AST) -> set[str]:
    """Return the private names that are imported from LangChain."""
    return {
        f"{node.module}.{one.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and is_theirs(node.module)
        for one in node.names
        if any(map(is_private, f"{node.module}.{one.name}".split(".")))
    }


def private_attributes(tree: ast.AST) -> set[str]:
    """Return the private names that are read from what LangChain exports."""
    imported = {
        one.asname or one.name
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom) and is_theirs(node.module))
        or (isinstance(node, ast.Import) and is_theirs(node.names[0].name))
        for one in node.names
    }
    return {
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and is_private(node.attr)
        and isinstance(node.value, ast.Name)
        and node.value.id in imported
        and node.attr not in HOOKS | PRIVATE_METHODS.keys()
    }


def private_methods(tree: ast.AST) -> set[str]:
    """Return the underscored methods of a chat model that are called or asked for."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and is_private(node.attr)
        and hasattr(BaseChatModel, node.attr)
    } - HOOKS


TREES = {
    str(path.relative_to(HOUSE)): ast.parse(path.read_text())
    for path in HOUSE.rglob("*.py")
}


@pytest.mark.parametrize("file", sorted(TREES.keys() - {GATHERED}))
def test_private_names_of_langchain_are_imported_in_one_file(file):
    assert not private_imports(TREES[file])
    assert not private_attributes(TREES[file])


def test_that_file_is_seen_to_hold_them():
    assert len(private_imports(TREES[GATHERED])) == 4
    assert len(private_attributes(TREES[GATHERED])) == 2


def test_private_methods_of_a_chat_model_are_called_where_it_is_written():
    found: dict[str, set[str]] = {}
    for file, tree in TREES.items():
        for name in private_methods(tree):
            found.setdefault(name, set()).add(file)
    assert found == PRIVATE_METHODS


@pytest.mark.parametrize("name", sorted(HOOKS | PRIVATE_METHODS.keys()))
def test_the_installed_langchain_has_each_method(name):
    assert hasattr(BaseChatModel, name)


def test_the_installed_langgraph_and_langsmith_have_what_is_looked_for():
    from langgraph.pregel._messages import StreamMessagesHandler  # noqa: PLC0415 - here

    handler = StreamMessagesHandler(lambda _: None, subgraphs=False)
    assert langchain_private.is_of_graph(handler)
    assert hasattr(handler, "_emit")
    assert isinstance(handler.metadata, dict)
    assert langchain_private.context_handlers()
    assert langchain_private.is_traced_by_context() is False
