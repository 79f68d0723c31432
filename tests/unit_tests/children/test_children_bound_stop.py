"""Stop words that are bound to a child go to its hooks, and a call's own come first."""

from langchain_reliable import ReliableChatModel
from langchain_reliable.testing import ScriptedChatModel


def test_stop_words_bound_to_a_child(surface):
    child = ScriptedChatModel(model="a")
    model = ReliableChatModel(models=[child.bind(stop=["x"])])
    assert surface(model).error is None
    assert surface(model, stop=["y"]).error is None
    assert [one.stop for one in child.requests] == [("x",), ("y",)]
