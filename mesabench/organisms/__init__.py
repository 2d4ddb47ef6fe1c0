"""Model organisms: agents whose objective is known, on which scorers are calibrated and tested."""
