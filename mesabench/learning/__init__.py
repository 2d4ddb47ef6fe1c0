"""Learning within an episode: reference learners, the processes they act in, and their figures."""
