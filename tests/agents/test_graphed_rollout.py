"""Policy and world steps captured as one graph: training equals training without graphs (tests/tape.py)."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from tape import capture_on_tape

import metarl
from metarl import registry
from metarl.agents.ppo.learner import PPOLearner
from metarl.core import returns
from metarl.runtime.cuda_graphs import EAGER_CALLS


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the checks of mask values, as on a GPU."""
    monkeypatch.setattr(returns, "may_hold", lambda mask: True)


def actors(learner: Any) -> list[Any]:
    return [learner.actor] if isinstance(learner, PPOLearner) else [learner.shared_actor, learner.adapted_actor]


def make_learner(agent: str, distribution: str, settings: dict[str, Any], graphed: bool) -> Any:
    """Return a learner that reads its weights in place; with `graphed`, its steps are captured and replayed."""
    agent_type = registry.find("agent", agent)
    short = replace(metarl.get(distribution), horizon=5)
    learner: Any = agent_type.learner(short, agent_type.settings(**settings), 0, "cpu")  # type: ignore[misc]
    if graphed:
        environment = learner.env.environment
        environment.use_graphs(capture_on_tape(environment, *actors(learner)))
    if isinstance(learner, PPOLearner):
        learner.actor.in_graph = True
    return learner


SMALL = {"num_envs": 4, "minibatches": 2, "epochs": 1, "hidden_size": 8, "head_size": 8}
META = {"num_envs": 8, "meta_batch_size": 2, "hidden_size": 8}


@pytest.mark.parametrize(
    ("agent", "distribution", "settings"),
    [
        ("rl2", "HalfCheetahDir", SMALL),
        ("rl2", "CartPoleSign", {**SMALL, "memory": "lstm"}),  # some environments rest
        ("rl2", "GridNavi", {**SMALL, "memory": "associative"}),
        ("rl2-wiped", "Catch", SMALL),
        ("promp", "HalfCheetahDirH100", META),
        ("maml", "GridNavi", {**META, "inner_steps": 2}),
    ],
)
def test_graphed_steps_train_the_same_weights(agent, distribution, settings):
    eager, graph = (make_learner(agent, distribution, settings, graphed) for graphed in (False, True))
    calls = [count_calls(actors(learner), "act") for learner in (eager, graph)]
    for _ in range(3):
        metrics, expected = graph.update(), eager.update()
        assert metrics == pytest.approx(expected, nan_ok=True, rel=0, abs=0)
    for x, y in zip(graph.policy.parameters(), eager.policy.parameters(), strict=True):
        assert torch.equal(x, y)
    assert calls[0][0] > 2 * calls[1][0] > EAGER_CALLS, "replayed steps do not run Python"


def test_new_buffers_replace_the_old_ones() -> None:
    """Steps are captured again after a change of a plain value."""
    learner = make_learner("rl2", "GridNavi", SMALL, graphed=True)
    environment, counts = learner.env.environment, []
    learner.update()
    for horizon in (4, 5, 4):
        environment.horizon = learner.env.horizon = horizon
        learner.update()
        statics, _ = environment._graphs
        counts.append((len(statics.buffers), statics.generation))
    assert counts[0][0] == counts[1][0] == counts[2][0]
    assert counts[2][1] == counts[0][1] + 2


def test_failed_capture_falls_back_to_eager_steps_with_equal_results() -> None:
    """The capture fails at its end, when all attributes are new tensors without results, as on a GPU."""
    eager = make_learner("rl2", "GridNavi", SMALL, graphed=False)
    broken = make_learner("rl2", "GridNavi", SMALL, graphed=False)
    capture = capture_on_tape(broken.env.environment, *actors(broken))

    def failing(work):
        capture(work)
        raise RuntimeError("operation not permitted when stream is capturing")

    broken.env.environment.use_graphs(failing)
    with pytest.warns(UserWarning, match="runs eagerly, more slowly, .*--no-cuda-graphs") as warned:
        metrics = [broken.update() for _ in range(3)]
    assert metrics == [eager.update() for _ in range(3)]
    for x, y in zip(broken.policy.parameters(), eager.policy.parameters(), strict=True):
        assert torch.equal(x, y)
    assert len(warned) == 1


def _counting(function: Any, calls: list[int]) -> Any:
    def call(*args: Any) -> Any:
        calls[0] += 1
        return function(*args)

    return call


def count_calls(owners: list[Any], name: str) -> list[int]:
    calls = [0]
    for owner in owners:
        setattr(owner, name, _counting(getattr(owner, name), calls))
    return calls
