"""Gradient-based meta-RL: MAML and its variants, one learner with exchangeable parts. In reading order:

- settings.py: `MAMLSettings`, all settings of the family.
- policy.py: `MetaPolicy`, initial weights, step sizes, normalisation and baseline; `MetaActor`, which acts in rollouts.
- network.py: `Network`, the policy networks of M tasks at once.
- layers.py: its fully connected layers, with first and second derivatives written out.
- advantages.py: the experience between gradient steps, baselines of its returns, and its advantages.
- inner_update.py: the inner loop: surrogate losses, and the gradient step.
- objective.py, outer_ppo.py, outer_trpo.py, outer_reptile.py: the outer loop: the meta-objective and its optimisers.
- learner.py: `MetaLearner`, one update from rollouts to an outer step.
- agent.py: `MetaAgent`, a trained agent that adapts within a trial.
- non_finite.py, memory_budget.py: errors for gradients that are not finite, and for too little memory.
- presets.py, tuned.py: the agent types by name, and tuned settings by distribution.
"""
