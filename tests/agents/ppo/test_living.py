"""Acting and the world's step as one graph: a learner lives and learns as it does without (tests/tape.py)."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from tape import recorder

import metarl
from metarl import registry
from metarl.agents.maml import sampling
from metarl.agents.ppo.learner import PPOLearner
from metarl.agents.ppo.living import Living
from metarl.core import returns
from metarl.runtime.cuda_graphs import EAGER_CALLS


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether any environment rests is not asked, and layers are operations of torch."""
    monkeypatch.setattr(returns, "may_hold", lambda mask: True)


def learner(agent: str, distribution: str, settings: dict[str, Any], record: bool) -> Any:
    """Of an agent that reads its weights where they are; with `record`, its steps are recorded and replayed."""
    kind = registry.find("agent", agent)
    family = replace(metarl.get(distribution), horizon=5)
    made: Any = kind.learner(family, kind.settings(**settings), 0, "cpu")  # type: ignore[misc]
    rl2 = isinstance(made, PPOLearner)
    owners = [made.living.agent] if rl2 else []
    if record:
        made.env.environment.repeat(recorder(made.env.environment, *owners))
        made.living = Living(made.env, *owners) if rl2 else sampling.Living(made.env, made.policy)
    elif rl2:
        made.living.agent.in_a_graph = True
    return made


SMALL = {"num_envs": 4, "minibatches": 2, "epochs": 1, "hidden_size": 8, "head_size": 8}
META = {"num_envs": 8, "meta_batch_size": 2, "hidden_size": 8}


@pytest.mark.parametrize(
    ("agent", "distribution", "settings"),
    [
        ("rl2", "HalfCheetahDir", SMALL),
        ("rl2", "CartPoleSign", {**SMALL, "memory": "lstm"}),  # where some rest
        ("rl2", "GridNavi", {**SMALL, "memory": "associative"}),
        ("rl2-wiped", "Catch", SMALL),
        ("promp", "HalfCheetahDirH100", META),
        ("maml", "GridNavi", {**META, "inner_steps": 2}),
    ],
)
def test_a_rollout_that_is_one_graph_a_step_teaches_the_same(agent, distribution, settings):
    plain, graph = (learner(agent, distribution, settings, record) for record in (False, True))
    calls = []
    for owner in (plain, graph):
        name = "react" if isinstance(owner, PPOLearner) else "see"
        calls.append(_counted(owner.living.agent if isinstance(owner, PPOLearner) else owner.policy, name))
    for _ in range(3):
        found, expected = graph.update(), plain.update()
        assert found == pytest.approx(expected, nan_ok=True, rel=0, abs=0)
    for x, y in zip(graph.policy.parameters(), plain.policy.parameters(), strict=True):
        assert torch.equal(x, y)
    assert calls[0][0] > 2 * calls[1][0] > EAGER_CALLS, "recorded steps do not run Python"


def test_places_made_anew_are_as_many() -> None:
    """When a plain value has changed, graphs are recorded again; nothing of the old ones is held."""
    made = learner("rl2", "GridNavi", SMALL, record=True)
    environment, counts = made.env.environment, []
    made.update()
    for horizon in (4, 5, 4):
        environment.horizon = made.env.horizon = horizon
        made.update()
        held, _ = environment._recorded
        counts.append((len(held._places), held.generation))
    assert counts[0][0] == counts[1][0] == counts[2][0]
    assert counts[2][1] == counts[0][1] + 2


def _counted(owner: Any, name: str) -> list[int]:
    calls, function = [0], getattr(owner, name)

    def call(*args: Any) -> Any:
        calls[0] += 1
        return function(*args)

    setattr(owner, name, call)
    return calls
