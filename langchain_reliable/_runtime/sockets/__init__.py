"""Ending what a thread reads when nobody waits for it any more.

Nothing interrupts a thread that waits for bytes, so its socket is shut down from
outside, which wakes it at once. `shutdown` does so where our view of an HTTP client has
told which socket answers; `left_behind` finds the socket in the frames of the thread,
whatever client reads, and goes on until the thread has come to its end. Both leave
connections alone on which others are answered.
"""
