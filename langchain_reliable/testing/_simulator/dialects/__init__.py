"""How each API spells answers and errors, one module per API.

A dialect turns a scripted answer into the bytes of one provider, in the parts at which
faults can strike: what comes before the first word, each piece, the finish marker and
the end of the stream. It knows nothing of sockets, and nothing of when a fault comes.
Shapes follow what the real APIs were seen to send.
"""
