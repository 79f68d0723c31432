"""The waiting: drivers, timers, threads and streams.

`driver` carries out what the core says, once for threads and once for tasks. `peek`
opens a stream up to its commit, `relay` hands it on, `timer` and `reader_thread` end a
wait that has lasted too long, `closing` closes what was opened. No rule of failover is
decided here.
"""
