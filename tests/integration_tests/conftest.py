"""Real clients at the simulator."""

from real_clients import clients, leave_no_connection, no_tls, sim

__all__ = ["clients", "leave_no_connection", "no_tls", "sim"]
