"""The settings of the MAML family; a preset is a choice of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from metarl.agents.maml.inner_update import SURROGATES, SurrogateName
from metarl.checks import check_number, check_whole
from metarl.errors import MetarlError, unknown

Outer = Literal["trpo", "ppo", "reptile"]


@dataclass(frozen=True)
class MAMLSettings:
    """Settings of gradient-based meta-RL."""

    num_envs: int = 200
    """rollouts in a batch; each task has num_envs / meta_batch_size of them before every inner step"""
    meta_batch_size: int = 20
    """tasks in an outer step"""
    inner_steps: int = 1
    """inner steps on a task in training, each on new rollouts"""
    inner_lr: float = 0.1
    """step size of the inner loop; the initial value if it is learned"""
    learn_rates: bool = False
    """learn a step size for each element of each weight (Meta-SGD)"""
    head_only: bool = False
    """adapt the last layer alone (ANIL), not the standard deviations of actions either"""
    first_order: bool = False
    """treat the inner gradient as a constant in the outer loop (first-order MAML)"""
    surrogate: SurrogateName = "likelihood-ratio"
    """loss of the inner loop: log-likelihood, likelihood-ratio (LVC) or dice"""
    outer: Outer = "ppo"
    """optimiser of the outer loop: trpo, ppo or reptile"""
    outer_epochs: int = 5
    """ppo: gradient steps on a meta-batch"""
    outer_lr: float = 3e-3
    """ppo: learning rate of Adam; reptile: step size, as a fraction of the distance to the adapted weights"""
    clip_coef: float = 0.3
    """ppo: difference of a probability ratio from 1 at which it is clipped"""
    inner_kl_coef: float = 0.0
    """coefficient of the KL divergence of the pre-update policies from those that sampled (ProMP)"""
    exploration_coef: float = 0.0
    """coefficient of the credit of pre-update actions for the return after the update (E-MAML)"""
    max_kl: float = 0.01
    """trpo: bound on the mean KL divergence of the adapted policies, in nats"""
    cg_steps: int = 10
    """trpo: steps of conjugate gradient"""
    cg_damping: float = 1e-2
    """trpo: multiple of the identity that is added to the curvature"""
    line_search_steps: int = 15
    """trpo: most steps of the line search, each 0.8 times as long as the last"""
    max_grad_norm: float = 10.0
    """ppo: largest norm of a gradient; larger ones are scaled down"""
    gamma: float = 0.99
    """discount per env step"""
    gae_lambda: float = 1.0
    """lambda of generalised advantages"""
    baseline: Literal["linear", "value"] = "linear"
    """prediction of returns: a linear fit for each task, or one value network for all tasks"""
    hidden_size: int = 64
    """units of a hidden layer"""
    layers: int = 2
    """number of hidden layers"""
    initial_std: float = 0.6
    """standard deviation of continuous actions at the start of training; actions lie in [-1, 1]"""
    normalize: bool = True
    """normalise observations by their running mean and standard deviation, constant within an update"""
    trial_shots: int = 1
    """trained agent: episodes before each gradient step"""
    trial_steps: int = 0
    """trained agent: most gradient steps in a trial; 0 for inner_steps, -1 for none (the control)"""

    def __post_init__(self) -> None:
        check_whole(
            self, "num_envs", "meta_batch_size", "inner_steps", "outer_epochs", "cg_steps", "line_search_steps",
            "hidden_size", "layers", "trial_shots", low=1,
        )  # fmt: skip
        check_whole(self, "trial_steps", low=-1)
        check_number(self, "inner_lr", "outer_lr", "clip_coef", "max_kl", "max_grad_norm", "initial_std", above=0)
        check_number(self, "inner_kl_coef", "exploration_coef", "cg_damping", low=0)
        check_number(self, "gamma", "gae_lambda", low=0, high=1)
        for name, known in (
            ("surrogate", tuple(SURROGATES)), ("outer", ("trpo", "ppo", "reptile")), ("baseline", ("linear", "value")),
        ):  # fmt: skip
            if getattr(self, name) not in known:
                raise unknown(name, str(getattr(self, name)), known)
        if self.outer == "reptile":
            for name in ("learn_rates", "head_only", "inner_kl_coef", "exploration_coef"):
                if getattr(self, name):
                    raise MetarlError(
                        f"reptile has no outer gradient, which {name} = {getattr(self, name)} needs: leave it out, or "
                        "set outer to 'ppo' or 'trpo'"
                    )
        if self.num_envs % self.meta_batch_size:
            raise MetarlError(
                f"num_envs {self.num_envs} must be a multiple of meta_batch_size {self.meta_batch_size}: each task "
                "has num_envs / meta_batch_size rollouts"
            )

    @property
    def rollouts(self) -> int:
        """N, the rollouts of a task before each inner step in training."""
        return self.num_envs // self.meta_batch_size

    @property
    def steps_in_trial(self) -> int:
        """The most gradient steps that an agent takes in a trial."""
        return {0: self.inner_steps, -1: 0}.get(self.trial_steps, self.trial_steps)
