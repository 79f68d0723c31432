"""The clients beneath chat models, which wait and retry in their own ways.

A client that a caller has made is never changed. What has to be different is set on a
copy that shares its connections, or, where an SDK fixes things when a client is built,
on a model built anew from its fields. Where neither works the user is told, once.
"""
