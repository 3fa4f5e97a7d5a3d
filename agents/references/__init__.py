"""References: agents that are handed the distribution the tasks are drawn from, and no weights. One file each."""
