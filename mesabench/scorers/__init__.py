"""Scorers: from what an agent did to which objective it pursues."""
