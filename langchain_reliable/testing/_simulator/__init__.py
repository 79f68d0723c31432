"""A loopback server that answers, and fails, as providers' APIs do.

A request comes in through `server`, `routes` finds the dialect of its path, the `board`
has the reply that the test has scripted, and `plans` turns reply and dialect into
steps: send these bytes, wait at this gate, cut the connection. A fault is said once, in
`faults`, and means the same in every dialect. Nothing here imports another part of the
package, or a provider's SDK.
"""
