"""The decisions of one call, pure: time and chance come in as numbers.

`call.Call.what_now(now)` says what to do next, facts go back in as `failed` and
`succeeded`, and whoever drives it does the waiting. Nothing here knows a clock, a
thread, a loop, a socket or an SDK, so every story can be told in a test without one.
"""
