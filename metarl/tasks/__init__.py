"""Tasks and distributions over tasks, as data. No environment is stepped here. In reading order:

- parameter.py: `Parameter`, a named parameter of a task with shape, unit and bounds.
- samplers/: the probability distributions that parameters are drawn from.
- task_set.py: `TaskSet`, tasks as arrays with a content hash and exact JSON files.
- splits.py: drawing tasks, and cutting them into train, valid, test and ood.
- world_config.py: `WorldConfig`, the part of a distribution that configures its world.
- task_distribution.py: `TaskDistribution`, which joins all of these and makes environments.
"""
