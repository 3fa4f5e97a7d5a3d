"""Settings of PPO over whole trials."""

from __future__ import annotations

from dataclasses import dataclass

from metarl.agents.ppo.policy import PolicySettings
from metarl.checks import check_number, check_whole
from metarl.errors import MetarlError


@dataclass(frozen=True)
class PPOSettings(PolicySettings):
    """PPO on trials."""

    num_envs: int = 64
    """trials in a meta-batch, each on a task of its own"""
    epochs: int = 4
    """passes over a meta-batch"""
    minibatches: int = 4
    """minibatches of whole trials in a pass"""
    learning_rate: float = 1e-3
    """of Adam, at the start"""
    anneal_steps: int = 0
    """env steps over which the learning rate and entropy_coef fall along a line to a twentieth; 0: they stay"""
    gamma: float = 0.97
    """discount per env step"""
    gae_lambda: float = 0.9
    """lambda of generalised advantages"""
    clip_coef: float = 0.2
    """how far a probability ratio may leave 1 before its gradient is cut"""
    entropy_coef: float = 0.0
    """weight of the policy's entropy"""
    value_coef: float = 0.5
    """weight of the critic's squared error, in units of its targets' variance"""
    reward_coef: float = 0.0
    """weight of an auxiliary loss, for which the reward of each step is predicted from the memory and the action"""
    max_grad_norm: float = 0.5
    """gradients are scaled down to this norm"""
    target_kl: float = 0.0
    """if above 0, the learning rate moves to keep a minibatch's KL divergence from the policy that acted near this"""

    @property
    def predicts_rewards(self) -> bool:
        return self.reward_coef > 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self, "num_envs", "epochs", "minibatches", low=1)
        check_number(self, "learning_rate", "clip_coef", "max_grad_norm", above=0)
        check_number(self, "gamma", "gae_lambda", low=0, high=1)
        check_number(self, "entropy_coef", "value_coef", "reward_coef", "target_kl", low=0)
        check_whole(self, "anneal_steps", low=0)
        if self.anneal_steps and self.target_kl > 0:
            raise MetarlError("anneal_steps and target_kl both move the learning rate: set one of them to 0")
        if self.num_envs % self.minibatches:
            sizes = f"num_envs {self.num_envs} must be a multiple of minibatches {self.minibatches}"
            raise MetarlError(f"minibatches are of whole trials: {sizes}")
