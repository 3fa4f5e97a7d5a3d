"""The meta-learner: rollouts, inner steps, rollouts, and an outer step (Finn et al. 2017, algorithm 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from metarl.agents.action_distributions import ActionNoise
from metarl.agents.maml import memory_budget, non_finite
from metarl.agents.maml.advantages import AdaptationBatch, BaselineData, compute_advantages
from metarl.agents.maml.agent import MetaAgent
from metarl.agents.maml.inner_update import first_broken
from metarl.agents.maml.network import Params
from metarl.agents.maml.outer_ppo import OuterPPO
from metarl.agents.maml.outer_reptile import OuterReptile
from metarl.agents.maml.outer_trpo import OuterTRPO
from metarl.agents.maml.policy import MetaActor, MetaPolicy
from metarl.agents.maml.settings import MAMLSettings
from metarl.core.agent import Learner
from metarl.core.environment import Environment
from metarl.core.rng import derive_seed, generator
from metarl.core.rollout import Rollout, rollout
from metarl.core.trials import Trials
from metarl.runtime import distributed
from metarl.tasks.task_distribution import TaskDistribution
from metarl.tasks.task_set import TaskSet

OUTER = {"ppo": OuterPPO, "trpo": OuterTRPO, "reptile": OuterReptile}


class MetaBatch(NamedTuple):
    """The experience of M tasks x N rollouts, with an inner step after each batch but the last."""

    tasks: TaskSet  # M
    batches: list[AdaptationBatch]
    to_go: list[Tensor]  # returns-to-go [M, N, T] of each batch
    raw_obs: list[Tensor]  # observations [S, *observation] of each batch before normalisation, taken steps alone


class MetaLearner(Learner):
    """The learner of initial weights on one task distribution. A trial has one episode per inner step, and one more."""

    data_parallel = True

    def __init__(self, distribution: TaskDistribution, settings: MAMLSettings, seed: int, device: str) -> None:
        self.distribution = distribution
        self.settings = settings
        self.seed = seed
        self.tasks = distributed.shard("meta_batch_size", settings.meta_batch_size)  # the tasks of this process
        self.rollouts = settings.rollouts  # of a task
        self.rows = self.tasks.each(self.rollouts)
        self.env = Trials(Environment(distribution, self.rows.count, device), settings.inner_steps + 1)
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(seed, "weights"))
            policy = MetaPolicy(self.env.observation_space, self.env.action_space, settings)
        self.policy = policy.to(device)
        # Two actors, because a CUDA graph holds weights of one shape.
        self.shared_actor = MetaActor(self.policy, self.env.num_envs)  # one set of weights for all tasks
        self.adapted_actor = MetaActor(self.policy, self.env.num_envs)  # one set for each task
        self.outer = OUTER[settings.outer](self.policy)
        self.updates = 0
        self.env_steps = 0

    def update(self) -> dict[str, float]:
        meta_batch = self.collect()
        metrics = self.outer.step(meta_batch.batches, meta_batch.tasks)
        self.update_statistics(meta_batch)
        self.updates += 1
        batches = meta_batch.batches
        self.env_steps += distributed.total(sum(int(batch.mask.sum()) for batch in batches))
        first, last = (batches[i].returns.mean() for i in (0, -1))
        return distributed.average_metrics({
            "return_first": float(first), "return_last": float(last), "adaptation": float(last - first), **metrics,
            **self._deviations(),
        })  # fmt: skip

    def collect(self) -> MetaBatch:
        """Collect rollouts of each task before the inner steps and after each. A rollout is an episode of a trial."""
        tasks = self.distribution.tasks("train", self.tasks.whole, derive_seed(self.seed, "tasks", self.updates))
        tasks = tasks[self.tasks.rows]
        noise = ActionNoise(generator(self.seed, "actions", self.updates, device=self.env.device), self.rows)
        seed, keys = derive_seed(self.seed, "trial", self.updates), self.rows.keys(self.env.device)
        obs = self.env.begin(tasks.repeat(self.rollouts), seed, keys)

        meta_batch = MetaBatch(tasks, [], [], [])
        actor, params = self.shared_actor, self.policy.initial_params(len(tasks))
        actor.begin(self.policy.initial_params(1), noise)
        while True:
            episode = rollout(
                self.env, actor, obs, ("obs", "sample", "dist_params"), episodes=1,
                nan_cure=f"the policy diverged; {non_finite.CURE}",
            )  # fmt: skip
            batch = self._add(meta_batch, params, episode)
            if self.env.done:
                return meta_batch
            obs = episode.next_obs
            params = {name: value.detach() for name, value in self.policy.adapt(params, batch).items()}
            if (i := first_broken(params)) is not None:
                raise non_finite.task_error("inner", tasks, i)
            actor = self.adapted_actor
            actor.begin(params, noise)

    def _add(self, meta_batch: MetaBatch, params: Params, episode: Rollout) -> AdaptationBatch:
        """Add an episode of all environments to the meta-batch, with its advantages."""
        s, policy = self.settings, self.policy
        assert episode.obs is not None  # "obs" is kept
        time_first = (
            episode.obs,
            episode.acted.sample,
            episode.acted.dist_params,
            episode.reward,
            episode.mask.float(),
        )
        columns = [by_task(x, len(meta_batch.tasks)) for x in time_first]
        batch = policy.make_batch(params, *columns)
        meta_batch.to_go.append(compute_advantages(batch, policy.baseline, s.gamma, s.gae_lambda))
        meta_batch.batches.append(batch)
        if policy.norm is not None:
            meta_batch.raw_obs.append(columns[0][batch.mask.bool()])
        return batch

    def update_statistics(self, meta_batch: MetaBatch) -> None:
        """Update the baseline and the running statistics, after the outer step, which uses those of the rollouts."""
        data = [
            BaselineData(batch.obs, to_go, batch.mask)
            for batch, to_go in zip(meta_batch.batches, meta_batch.to_go, strict=True)
        ]
        self.policy.baseline.learn(data)
        if self.policy.norm is not None:
            self.policy.norm.update(torch.cat(meta_batch.raw_obs))

    def _deviations(self) -> dict[str, float]:
        meta = self.policy.network.meta
        return {"std": float(meta["log_std"].detach().exp().mean())} if "log_std" in meta else {}

    def agent(self, deterministic: bool = True) -> MetaAgent:
        return MetaAgent(self.policy, deterministic)

    def check_memory(self, free: int) -> None:
        memory_budget.check(self.policy, self.env.horizon * self.env.episodes, free * distributed.size())

    def state_dict(self) -> dict[str, Any]:
        return {
            "policy": self.policy.state_dict(), "outer": self.outer.state_dict(), "updates": self.updates,
            "env_steps": self.env_steps,
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.policy.load_state_dict(state["policy"])
        self.outer.load_state_dict(state["outer"])
        self.updates, self.env_steps = state["updates"], state["env_steps"]


def by_task(x: Tensor, tasks: int) -> Tensor:
    """Return [M, N, T, ...] for x [T, M * N, ...]."""
    return x.transpose(0, 1).contiguous().unflatten(0, (tasks, -1))
