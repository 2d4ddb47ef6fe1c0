"""The leaderboard: entries, how an agent is evaluated for one, and how an entry is verified."""
