"""Packets: captured while a program runs, taken from a capture made elsewhere, or made from recorded calls.

Owns all that is known of packets: the ring they come from, their headers, the files they are kept in, and
which call sent or read each. Knows traces and sockets, nothing of how calls are recorded.
"""
