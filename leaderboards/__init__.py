"""Published tables and our own runs (CSV with provenance): data, no code."""
