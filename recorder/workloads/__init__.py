"""What clients do to a server, and when: the shipped workloads, how one is read, and who plays it."""
