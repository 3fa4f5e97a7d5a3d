"""Settings of PPO over whole trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from metarl.agents.networks.actor_critic import Memory
from metarl.checks import check_number, check_whole
from metarl.errors import MetarlError


@dataclass(frozen=True)
class PolicySettings:
    """Settings of an actor-critic."""

    memory: Memory = "gru"
    """memory of the policy; associative stores the result of each step under its input"""
    wipe_memory: bool = False
    """clear the memory at each new episode, a control that shows the effect of memory across episodes"""
    hidden_size: int = 128
    """units of the memory, or of the first layer without memory"""
    head_size: int = 128
    """units of the hidden layers of actor and critic"""
    encoder_size: int = 128
    """features that planes and pixels are encoded into; vectors have no encoder"""
    initial_std: float = 0.6
    """standard deviation of continuous actions at the start of training; actions lie in [-1, 1]"""

    @property
    def predicts_rewards(self) -> bool:
        """True if the network has a head that predicts rewards, for an auxiliary loss."""
        return False

    def __post_init__(self) -> None:
        check_whole(self, "hidden_size", "head_size", "encoder_size", low=1)
        check_number(self, "initial_std", above=0)
        if self.memory not in (kinds := get_args(Memory)):
            raise MetarlError(f"memory must be {', '.join(kinds[:-1])} or {kinds[-1]}, got {self.memory!r}")
        if self.wipe_memory and self.memory == "none":
            raise MetarlError("there is no memory to wipe: memory is 'none', so leave out wipe_memory")


@dataclass(frozen=True)
class PPOSettings(PolicySettings):
    """Settings of PPO over whole trials."""

    num_envs: int = 64
    """trials in a meta-batch, each on another task"""
    epochs: int = 4
    """passes over a meta-batch"""
    minibatches: int = 4
    """minibatches of whole trials in a pass"""
    learning_rate: float = 1e-3
    """learning rate of Adam at the start of training"""
    anneal_steps: int = 0
    """env steps over which the learning rate and entropy_coef decrease linearly to a twentieth; 0: they are constant"""
    gamma: float = 0.97
    """discount per env step"""
    gae_lambda: float = 0.9
    """lambda of generalised advantages"""
    clip_coef: float = 0.2
    """difference of a probability ratio from 1 at which it is clipped"""
    entropy_coef: float = 0.0
    """coefficient of the policy's entropy"""
    value_coef: float = 0.5
    """coefficient of the critic's squared error, in units of the variance of its targets"""
    reward_coef: float = 0.0
    """coefficient of an auxiliary loss: the reward of each step is predicted from the memory and the action"""
    max_grad_norm: float = 0.5
    """largest norm of a gradient; larger ones are scaled down"""
    target_kl: float = 0.0
    """if above 0, the learning rate is adapted to keep a minibatch's KL divergence from the old policy near this"""

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
            raise MetarlError("anneal_steps and target_kl both change the learning rate: set one of them to 0")
        if self.num_envs % self.minibatches:
            sizes = f"num_envs {self.num_envs} must be a multiple of minibatches {self.minibatches}"
            raise MetarlError(f"minibatches consist of whole trials: {sizes}")
