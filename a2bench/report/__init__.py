"""Results for others to read: figures, and a page that opens without a network."""
