"""`metarl speed`: our environments and training loop beside bare physics and beside what others offer."""
