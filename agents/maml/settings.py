"""Every setting of the MAML family; a preset is a choice of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from metarl.agents.maml.surrogates import SURROGATES, SurrogateName
from metarl.checks import check_number, check_whole
from metarl.errors import MetarlError, unknown

Outer = Literal["trpo", "ppo", "reptile"]


@dataclass(frozen=True)
class MAMLSettings:
    """Policy gradients that learn to be adapted by policy gradients."""

    num_envs: int = 200
    """rollouts side by side; each task has num_envs / meta_batch_size of them before every inner step"""
    meta_batch_size: int = 20
    """tasks in an outer step"""
    inner_steps: int = 1
    """gradient steps on a task before it counts in the outer loop; each on rollouts of its own"""
    inner_lr: float = 0.1
    """step size of the inner loop, to start from where it is learned"""
    learn_rates: bool = False
    """learn a step size for each weight (Meta-SGD)"""
    head_only: bool = False
    """adapt the last layer alone (ANIL); the standard deviations of actions stay too"""
    first_order: bool = False
    """take the inner gradient for a constant in the outer loop (first-order MAML)"""
    surrogate: SurrogateName = "likelihood-ratio"
    """the inner loop's estimator: log-likelihood, likelihood-ratio (LVC) or dice"""
    outer: Outer = "ppo"
    """the outer loop's optimiser: trpo, ppo or reptile"""
    outer_epochs: int = 5
    """ppo: gradient steps on a meta-batch"""
    outer_lr: float = 3e-3
    """ppo: of Adam; reptile: the share of the way to the adapted weights"""
    clip_coef: float = 0.3
    """ppo: how far a probability ratio may leave 1 before its gradient is cut"""
    inner_kl_coef: float = 0.0
    """weight of the KL divergence of the pre-update policies from those that sampled (ProMP)"""
    exploration_coef: float = 0.0
    """weight of the credit that pre-update actions get for what came after the update (E-MAML)"""
    max_kl: float = 0.01
    """trpo: bound on the mean KL divergence of the adapted policies, nats"""
    cg_steps: int = 10
    """trpo: steps of conjugate gradient"""
    cg_damping: float = 1e-2
    """trpo: added to the curvature, as a share of its identity"""
    line_search_steps: int = 15
    """trpo: tries, each 0.8 times as far as the last"""
    max_grad_norm: float = 10.0
    """ppo: gradients are scaled down to this norm"""
    gamma: float = 0.99
    """discount per env step"""
    gae_lambda: float = 1.0
    """lambda of generalised advantages"""
    baseline: Literal["linear", "value"] = "linear"
    """linear features fitted to each task anew, or one value network"""
    hidden_size: int = 64
    """units of a hidden layer"""
    layers: int = 2
    """hidden layers"""
    initial_std: float = 0.6
    """standard deviation of continuous actions at the start; actions live in [-1, 1]"""
    normalize: bool = True
    """observations by their running mean and deviation, frozen within an update"""
    trial_shots: int = 1
    """in a trial: episodes lived through before each gradient step"""
    trial_steps: int = 0
    """in a trial: gradient steps at most; 0 for inner_steps, -1 for none (the control)"""

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
                        "take outer='ppo' or 'trpo'"
                    )
        if self.num_envs % self.meta_batch_size:
            raise MetarlError(
                f"num_envs {self.num_envs} must be a multiple of meta_batch_size {self.meta_batch_size}: each task "
                "gets num_envs / meta_batch_size rollouts"
            )

    @property
    def rollouts(self) -> int:
        """N: rollouts of a task before an inner step in training."""
        return self.num_envs // self.meta_batch_size

    @property
    def steps_in_trial(self) -> int:
        """Gradient steps a trial's agent takes at most."""
        return {0: self.inner_steps, -1: 0}.get(self.trial_steps, self.trial_steps)
