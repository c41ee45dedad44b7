"""A running program -> a trace.

Owns the agent, the tape, the drain, the launch of programs and the workloads. Knows `traces`,
never `replay`.
"""
