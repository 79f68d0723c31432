"""What several processes know together, over Redis.

Calls never talk to Redis: they see dictionaries in this process, and one daemon thread
(`link`) keeps these the same as what Redis holds. The state of a candidate is changed
by the rules of `_core/circuit.py` alone; `mirror` applies them to what was last seen in
Redis and writes the result if nobody was faster (`entries`, `records`, `scripts`). The
two things that have to be asked before a request may go out, whether it is the one
probe and whether a limit has room for it, are handed to that thread, and waited for at
most 50 ms.

All of it fails open: without Redis each process goes by what it knows itself.
"""
