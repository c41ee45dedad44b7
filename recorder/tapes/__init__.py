"""What agents wrote, from outside: tapes, their heads, and segments made ahead of need."""
