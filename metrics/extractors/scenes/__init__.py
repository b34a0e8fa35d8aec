"""Objects and backgrounds: where they are, and how like their references."""
