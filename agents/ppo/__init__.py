"""PPO over whole trials: RL², its controls, and fine-tuning within a trial. In reading order:

- settings.py: `PolicySettings` and `PPOSettings`.
- policy.py: `Policy`, the networks and the normalisation of their inputs; `PolicyActor`, which acts in rollouts.
- loss.py: `ppo_loss` on a `Batch` of whole trials.
- learner.py: `PPOLearner`, one update from rollout to gradient steps.
- agent.py: `PolicyAgent`, the trained policy as an agent.
- memory_budget.py: the memory that an update takes, estimated before the first one.
- fine_tune.py: `FineTuneAgent`, which continues to train a copy of the policy within each trial.
- presets.py: the agent types by name: rl2, rl2-wiped, ppo, oracle, fine-tuned and random.
- tuned.py: tuned settings by distribution.
"""
