"""Waiting for others: another process that has a lock, a service that is busy."""
