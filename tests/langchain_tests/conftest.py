"""Real clients at the simulator, and a wire without one."""

from real_clients import clients, leave_no_connection, no_tls, sim
from recorder import recorder
from wire import wire

__all__ = ["clients", "leave_no_connection", "no_tls", "recorder", "sim", "wire"]
