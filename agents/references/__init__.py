"""References: agents that are handed the law the tasks are drawn from, and no weights. One file each."""
