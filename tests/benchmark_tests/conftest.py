"""The benchmarks, which are run from the root, and clients that leave nothing open."""

import sys
from pathlib import Path

from real_clients import leave_no_connection, no_tls

__all__ = ["leave_no_connection", "no_tls"]

sys.path.insert(0, str(Path(__file__).parents[2]))
