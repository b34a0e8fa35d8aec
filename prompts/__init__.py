"""Suites (*.jsonl), and the draw that combined their elements."""
