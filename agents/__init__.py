"""Agents: meta-RL algorithms, their controls, and references without learned weights. In reading order:

- action_distributions.py: `Gaussian` and `Categorical`, the random numbers of sampling (`ActionNoise`), and how a
  policy acts in a Box (`Continuous`) or a Discrete space (`Discrete`).
- networks/: encoders, memories, the actor-critic, and the normalisation of inputs.
- ppo/: PPO over whole trials, which trains RL² and its controls.
- maml/: gradient-based meta-learning: MAML, ProMP, E-MAML, FOMAML, Reptile, Meta-SGD and ANIL.
- references/: bandit algorithms, planners and optimal policies, to compare with.

An agent implements the protocol `Agent` of metarl.core.agent and is registered by name as an `AgentType`.
"""
