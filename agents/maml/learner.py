"""The outer loop: sample a meta-batch, adapt, sample again, and move the initial weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from metarl import parallel
from metarl.agent import Learner
from metarl.agents.maml import memory
from metarl.agents.maml.agent import MetaAgent
from metarl.agents.maml.baselines import Earned
from metarl.agents.maml.outer_ppo import OuterPPO
from metarl.agents.maml.outer_reptile import OuterReptile
from metarl.agents.maml.outer_trpo import OuterTRPO
from metarl.agents.maml.policy import MetaPolicy
from metarl.agents.maml.sampling import Living, MetaBatch, sample
from metarl.agents.maml.settings import MAMLSettings
from metarl.agents.noise import Noise
from metarl.counted import derive_seed, generator
from metarl.distribution import TaskDistribution
from metarl.environment import Environment
from metarl.trials import Trials

OUTER = {"ppo": OuterPPO, "trpo": OuterTRPO, "reptile": OuterReptile}


class MetaLearner(Learner):
    """Meta-trains initial weights on one distribution. A trial has an episode for each inner step, and one after."""

    data_parallel = True

    def __init__(self, distribution: TaskDistribution, settings: MAMLSettings, seed: int, device: str) -> None:
        self.distribution = distribution
        self.settings = settings
        self.seed = seed
        self.tasks = parallel.share("meta_batch_size", settings.meta_batch_size)
        self.rows = self.tasks.each(settings.rollouts)
        self.env = Trials(Environment(distribution, self.rows.count, device), settings.inner_steps + 1)
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(seed, "weights"))
            policy = MetaPolicy(self.env.observation_space, self.env.action_space, settings)
        self.policy = policy.to(device)
        self.living = Living(self.env, self.policy)
        self.outer = OUTER[settings.outer](self.policy)
        self.updates = 0
        self.env_steps = 0

    def check_memory(self, free: int) -> None:
        memory.check(self.policy, self.env.horizon * self.env.episodes, free * parallel.size())

    def agent(self, deterministic: bool = True) -> MetaAgent:
        return MetaAgent(self.policy, deterministic)

    def update(self) -> dict[str, float]:
        batch = self._sample()
        metrics = self.outer.step(batch)
        earned = [Earned(phase.obs, to_go, phase.own) for phase, to_go in zip(batch.phases, batch.returns, strict=True)]
        self.policy.baseline.learn(earned)
        if self.policy.norm is not None:  # moves only now, so that the update saw what the rollouts saw
            self.policy.norm.update(torch.cat(batch.raw_obs))
        self.updates += 1
        self.env_steps += parallel.total(sum(int(phase.own.sum()) for phase in batch.phases))
        first, last = (batch.phases[i].returns.mean() for i in (0, -1))
        return parallel.mean_of({
            "return_first": float(first), "return_last": float(last), "adaptation": float(last - first), **metrics,
            **self._deviations(),
        })  # fmt: skip

    def _sample(self) -> MetaBatch:
        tasks = self.distribution.tasks("train", self.tasks.whole, derive_seed(self.seed, "tasks", self.updates))
        noise = Noise(generator(self.seed, "actions", self.updates, device=self.env.device), self.rows)
        seed, keys = derive_seed(self.seed, "trial", self.updates), self.rows.keys(self.env.device)
        return sample(self.living, tasks[self.tasks.rows], seed, noise, keys)

    def _deviations(self) -> dict[str, float]:
        meta = self.policy.network.meta
        return {"std": float(meta["log_std"].detach().exp().mean())} if "log_std" in meta else {}

    def state_dict(self) -> dict[str, Any]:
        return {
            "policy": self.policy.state_dict(), "outer": self.outer.state_dict(), "updates": self.updates,
            "env_steps": self.env_steps,
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.policy.load_state_dict(state["policy"])
        self.outer.load_state_dict(state["outer"])
        self.updates, self.env_steps = state["updates"], state["env_steps"]
