"""A running study: its design, how it is made, and its database. No screen."""
