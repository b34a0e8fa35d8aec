"""The pages of the study and the leaderboard, and the server that gives them."""
