"""The user study without a screen: its ratings, what they say, and the weights they give."""
