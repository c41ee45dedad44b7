"""How faithful a recording was: every recorded call beside the system calls that strace saw of the same run."""
