"""From a command line to a started program: what is run, where its tapes go, and in which network."""
