"""One child: how it is made ready and asked, and what it knows of itself.

A chat model is called through LangChain's implementation hooks, so that the caller sees
one run; any other Runnable through its public interface, out of sight of the caller's
listeners. What is known of each partner class stands in `partners`, one row a class.
"""
