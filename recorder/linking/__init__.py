"""Which call belongs to which: waits, TLS, signals, senders."""
