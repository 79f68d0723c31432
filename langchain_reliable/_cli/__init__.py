"""The command `langchain-reliable`: `demo`, `ask` and `check`.

It stands on the public doors, as a user's program would, and draws what happens on a
plain or a rich screen. Whatever it prints of others passes `_text` first.
"""
