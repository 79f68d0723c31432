"""Rules by which the real APIs refuse a request, one module per API.

The rules know what breaks when a conversation changes its provider: fields, roles,
blocks, ids, signatures, and which call a result belongs to. Each that is not plain from
the API reference names where it was seen. Requests that real APIs accepted are read
without complaint (`tests/cassette_tests/test_strict_reads_recordings.py`).
"""
