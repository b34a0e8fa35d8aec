"""Pictures, videos and texts as vectors."""
