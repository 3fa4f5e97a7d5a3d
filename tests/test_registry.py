"""The registry: names that are registered, installed by a third-party package or in a user's file, and its errors."""

import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from textwrap import dedent
from typing import Any

import gymnasium as gym
import pytest

import metarl
from metarl import registry
from metarl.core.agent import AgentType
from metarl.envs.goals.velocity import Velocity
from metarl.envs.perturbations.scaling import Scaling
from metarl.envs.physics import Physics
from metarl.envs.robots.point_mass import PointMass
from metarl.errors import MetarlError

ICY = """
    import metarl
    Icy = metarl.TaskDistribution(
        "IcyCheetahVel", world="HalfCheetah", goal="velocity",
        parameters={"velocity": metarl.Uniform(0.0, 3.0), "friction": metarl.LogUniform(0.1, 1.0)},
        ood={"velocity": metarl.Uniform(3.0, 4.0)}, horizon=200, episodes=2)
    metarl.register(Icy)
    number = 3
"""


def icy(**changes) -> metarl.TaskDistribution:
    return replace(
        metarl.TaskDistribution(
            "IcyCheetahVel", world="HalfCheetah", goal="velocity",
            parameters={"velocity": metarl.Uniform(0.0, 3.0), "friction": metarl.LogUniform(0.1, 1.0)},
            ood={"velocity": metarl.Uniform(3.0, 4.0)}, horizon=200, episodes=2,
        ),
        **changes,
    )  # fmt: skip


class Drifter(PointMass):
    name = "Drifter"


@pytest.fixture
def file(tmp_path):
    def write(text, name="mine.py"):
        (tmp_path / name).write_text(dedent(text))
        return str(tmp_path / name)

    return write


def physics_of(env: Any) -> Physics:
    return getattr(env, "environment", env).simulation.physics


# By name -------------------------------------------------------------------------------------------------------------


def test_every_built_in_name_is_found():
    assert {"HalfCheetahDir", "HalfCheetahVel", "PointGoalSparse"} <= set(registry.names("distribution"))
    assert {"HalfCheetah", "PointMass"} <= set(registry.names("world"))
    for kind in registry.KINDS:
        assert registry.names(kind) == sorted(registry.names(kind))
        for name in registry.names(kind):
            thing = registry.find(kind, name)
            assert (thing.kind, thing.name) == (kind, name)
            assert registry.find(kind, name) is thing


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [
        ("distribution", "halfcheetavel", "HalfCheetahVel"),
        ("world", "HalfCheeta", "HalfCheetah"),
        ("goal", "velocty", "velocity"),
        ("perturbation", "fricton", "friction"),
        ("agent", "RL2", "rl2"),
    ],
)
def test_unknown_names_suggest_the_nearest(kind, name, near):
    with pytest.raises(MetarlError, match=f"unknown {kind} '{name}'; did you mean '{near}'"):
        registry.find(kind, name)


def test_name_that_is_not_a_string_raises():
    with pytest.raises(MetarlError, match="named by a string, got 3"):
        registry.find("world", 3)  # pyright: ignore[reportArgumentType]


def test_registered_distribution_has_splits_gymnasium_ids_and_perturbed_physics(roll):
    assert metarl.register(icy()) is metarl.get(icy().name) or metarl.get("IcyCheetahVel").name == "IcyCheetahVel"
    d = metarl.get("IcyCheetahVel")
    assert d.splits == ("train", "valid", "test", "ood")
    env = gym.make("metarl/IcyCheetahVel-v0")
    obs, info = env.reset(seed=0)
    assert obs.shape == (17,)
    assert set(info["task"]) == {"velocity", "friction"}
    env.close()
    envs = gym.make_vec("metarl/IcyCheetahVel-v0", num_envs=2)
    assert envs.reset(seed=0)[0].shape == (2, 17)
    envs.close()
    env = d.make(2)
    roll(env, d.tasks("test", 2), steps=3)
    physics = physics_of(env)
    expected = physics.default("geom_friction") * float(d.tasks("test", 2).params["friction"][1])
    assert (physics.field("geom_friction")[1] == expected).all()


# Equal names ---------------------------------------------------------------------------------------------------------


def test_class_is_instantiated_and_instance_is_kept():
    metarl.register(Drifter)
    assert isinstance(registry.find("world", "Drifter"), Drifter)
    stronger = Scaling("stiffness", ("jnt_stiffness",), "factor on springs")
    metarl.register(stronger)
    assert registry.find("perturbation", "stiffness") is stronger
    metarl.register(stronger)  # the same object again


@pytest.mark.parametrize(
    "thing",
    [
        metarl.TaskDistribution("HalfCheetahVel", "HalfCheetah", {"velocity": metarl.Uniform(0, 1)}, "velocity"),
        metarl.TaskDistribution(
            "HalfCheetahVel", "HalfCheetah", {"velocity": metarl.Uniform(0, 1)}, "velocity", version=1
        ),
        type("Mine", (PointMass,), {"name": "HalfCheetah"}),
        type("Mine", (Velocity,), {"name": "direction"}),
        Scaling("mass", ("body_mass",), "mass without inertia"),
    ],
    ids=["distribution", "other version", "world", "goal", "perturbation"],
)
@pytest.mark.parametrize("loaded", [False, True])
def test_built_in_names_cannot_be_registered(thing, loaded):
    instance = thing() if isinstance(thing, type) else thing
    if loaded:
        registry.find(instance.kind, instance.name)
    with pytest.raises(MetarlError, match=f"named '{instance.name}' is built in or installed"):
        registry.add(thing)


def test_registered_name_is_refused_for_another_definition():
    metarl.register(icy())
    metarl.register(icy())  # the same definition again, as when a notebook's cell runs twice
    with pytest.raises(MetarlError, match=r"another distribution named 'IcyCheetahVel'.*raise its version"):
        metarl.register(icy(horizon=100))
    metarl.register(icy(horizon=100, version=1))
    assert metarl.get("IcyCheetahVel").horizon == 100
    assert "metarl/IcyCheetahVel-v1" in gym.registry
    assert "metarl/IcyCheetahVel-v0" not in gym.registry

    metarl.register(Drifter)
    redefined = type("Drifter", (PointMass,), {"name": "Drifter", "__module__": Drifter.__module__})
    metarl.register(redefined)  # the same class defined again
    assert type(registry.find("world", "Drifter")) is redefined
    with pytest.raises(MetarlError, match="another world named 'Drifter'"):
        metarl.register(type("Other", (PointMass,), {"name": "Drifter"}))

    metarl.register(Scaling("stiffness", ("jnt_stiffness",), "springs"))
    with pytest.raises(MetarlError, match="another perturbation named 'stiffness'"):
        metarl.register(Scaling("stiffness", ("tendon_stiffness",), "tendons"))


def test_different_kinds_may_have_equal_names():
    metarl.register(type("Mass", (PointMass,), {"name": "mass"}))
    assert registry.find("world", "mass").kind == "world"
    assert registry.find("perturbation", "mass").kind == "perturbation"


class NeedsMore(PointMass):
    name = "NeedsMore"

    def __init__(self, size):
        self.size = size


@pytest.mark.parametrize("thing", [3, "HalfCheetah", object(), PointMass.__base__, dict])
def test_unsupported_objects_cannot_be_registered(thing):
    with pytest.raises(MetarlError, match="cannot register"):
        metarl.register(thing)


def test_class_that_needs_arguments_is_refused():
    with pytest.raises(MetarlError, match="NeedsMore cannot be made without arguments"):
        metarl.register(NeedsMore)


# In a file or a module -----------------------------------------------------------------------------------------------


def test_file_is_found_by_variable_and_by_registered_name(file):
    path = file(ICY)
    by_variable, by_name = metarl.get(f"{path}:Icy"), metarl.get(f"{path}:IcyCheetahVel")
    assert by_variable is by_name
    assert metarl.get("IcyCheetahVel") is by_name
    assert registry.find_any(f"{path}:IcyCheetahVel") is by_name
    assert registry.find_any(f"{path}:Nothing") is None
    assert by_name.tasks("test", 3).hash == icy().tasks("test", 3).hash


def test_file_may_register_a_world(file):
    path = file(
        """
        import metarl
        from metarl.envs.robots.point_mass import PointMass

        @metarl.register
        class Slider(PointMass):
            name = "Slider"

        Slide = metarl.TaskDistribution(
            "Slide", world="Slider", goal="sparse_place", parameters={"place": metarl.Disc(1.0)}
        )
        """
    )
    d = metarl.get(f"{path}:Slide")
    assert d.make().begin(d.tasks()).shape == (1, 4)
    assert registry.find("world", f"{path}:Slider").name == "Slider"


def test_module_is_found_by_its_name(file, monkeypatch, tmp_path):
    file(ICY, "icy_tasks_of_a_test.py")
    monkeypatch.syspath_prepend(tmp_path)
    assert metarl.get("icy_tasks_of_a_test:Icy").name == "IcyCheetahVel"
    assert metarl.get("icy_tasks_of_a_test:IcyCheetahVel").name == "IcyCheetahVel"
    assert registry.find("world", "metarl.envs.robots.half_cheetah:HalfCheetah").name == "HalfCheetah"


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (ICY, "Icey", "defines no distribution named 'Icey'; it defines IcyCheetahVel$"),
        (ICY, "HalfCheetahVel", "defines no distribution named 'HalfCheetahVel'"),  # built in, not in this file
        (ICY, "number", "is a int, not a distribution"),
        (ICY, "", "defines no distribution named ''"),
        ("x = 1", "Icy", "defines no distribution at all"),
        ("from metarl.envs.robots.point_mass import PointMass", "PointMass", "is a PointMass, not a distribution"),
        ("import metarl\nIcy = metarl.TaskDistribution", "Icy", "cannot be made without arguments"),
        ("def f(:", "Icy", r"mine.py cannot be run: SyntaxError.*line 1"),
        ("1 / 0", "Icy", "cannot be run: ZeroDivisionError"),
        ("import no_such_module_here", "Icy", "cannot be run: No module named 'no_such_module_here'"),
        ("import metarl\nmetarl.Uniform(1, 0)", "Icy", "Uniform: low 1.0 is greater than high 0.0"),
    ],
)  # fmt: skip
def test_errors_in_files_raise_with_the_reason(file, text, name, message):
    path = file(text)
    for _ in range(2):  # a file that failed is run again, with the same error
        with pytest.raises(MetarlError, match=message):
            metarl.get(f"{path}:{name}")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("no/such/folder/file.py:Icy", "no file .*/no/such/folder/file.py"),
        ("no_such_module_here:Icy", "no module named 'no_such_module_here': install it, or give a file as"),
        ("metarl.no_such_module:Icy", "no module named 'metarl.no_such_module'"),
        (":Icy", "give path/to/file.py:Name or package.module:Name"),
        ("..relative:Icy", "cannot be run: TypeError"),
    ],
)
def test_missing_files_and_modules_raise_with_their_name(reference, message):
    with pytest.raises(MetarlError, match=message):
        metarl.get(reference)


def test_corrected_file_is_run_again(file):
    path = file("1 / 0")
    with pytest.raises(MetarlError, match="ZeroDivisionError"):
        metarl.get(f"{path}:Icy")
    file(ICY)
    assert metarl.get(f"{path}:Icy").name == "IcyCheetahVel"


# In an installed third-party package ---------------------------------------------------------------------------------

THIRD_PARTY = """
    import metarl
    from metarl.envs.robots.point_mass import PointMass

    class Drifter(PointMass):
        name = "Drifter"

    DISTRIBUTIONS = [
        metarl.TaskDistribution(
            "Drift", world="Drifter", goal="sparse_place", parameters={"place": metarl.Disc(1.0)}, horizon=5
        ),
        metarl.TaskDistribution(
            "IcyCheetahVel", world="HalfCheetah", goal="velocity",
            parameters={"velocity": metarl.Uniform(0.0, 3.0), "friction": metarl.LogUniform(0.1, 1.0)},
        ),
    ]
"""

USE = """
    import sys
    import metarl
    import gymnasium as gym
    for name, size in (("Drift", 4), ("IcyCheetahVel", 17)):
        env = gym.make(f"metarl/{name}-v0")
        assert env.reset(seed=0)[0].shape == (size,)
        envs = gym.make_vec(f"metarl/{name}-v0", num_envs=3)
        assert envs.reset(seed=0)[0].shape == (3, size)
        assert envs.step(envs.action_space.sample())[0].shape == (3, size)
        assert metarl.get(name).tasks("test", 4).distribution == name
    from metarl.cli.main import main
    assert main(["list"]) == 0
    assert main(["list", "Drifter"]) == 0
    assert main(["list", "Drift"]) == 0
"""


def install(site, package, text, **groups):
    (site / f"{package}.py").write_text(dedent(text))
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [
        f"[metarl.{group}]\n" + "".join(f"{n} = {v}\n" for n, v in points.items()) for group, points in groups.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))


def python(site, code):
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, cwd=site, env=environment, check=False)


def test_names_of_an_installed_package_work_like_built_in_names(tmp_path):
    """The entry point has the name of metarl's own, "builtin". Only the names of distributions matter."""
    install(
        tmp_path, "external", THIRD_PARTY,
        worlds={"Drifter": "external:Drifter"}, distributions={"builtin": "external:DISTRIBUTIONS"},
    )  # fmt: skip
    result = python(tmp_path, USE)
    assert result.returncode == 0, result.stderr
    for name in ("Drifter", "Drift", "IcyCheetahVel", "HalfCheetahVel"):
        assert name in result.stdout


def test_installed_packages_neither_break_nor_replace_built_in_names(tmp_path):
    install(tmp_path, "broken", "1 / 0", distributions={"all": "broken:DISTRIBUTIONS"})
    install(tmp_path, "empty", "", distributions={"all": "empty:DISTRIBUTIONS"})
    install(tmp_path, "number", "DISTRIBUTIONS = 3", distributions={"all": "number:DISTRIBUTIONS"})
    shadow = THIRD_PARTY.replace("IcyCheetahVel", "HalfCheetahVel").replace('"Drifter"', '"HalfCheetah"')
    groups = {"worlds": {"HalfCheetah": "shadow:Drifter"}, "distributions": {"a": "shadow:DISTRIBUTIONS"}}
    install(tmp_path, "shadow", shadow, **groups)
    result = python(
        tmp_path,
        """
        import metarl
        from metarl import registry
        assert "friction" not in metarl.get("HalfCheetahVel").parameters
        assert type(registry.find("world", "HalfCheetah")).__module__ == "metarl.envs.robots.half_cheetah"
        assert "Drift" in registry.names("distribution")
        import broken
        """,
    )
    errors = result.stderr
    assert errors.rstrip().endswith("ZeroDivisionError: division by zero")  # no error before the last line
    assert (
        "left out the distributions of broken: all: the entry point all = broken:DISTRIBUTIONS cannot be loaded"
        in errors
    )
    assert "left out the distributions of empty: all" in errors
    assert "left out the distributions of number: all" in errors
    assert "another named 'HalfCheetahVel' is there already" in errors
    assert "two packages install a world named 'HalfCheetah': using metarl.envs.robots" in errors


def test_installed_package_may_be_imported_before_metarl(tmp_path):
    """The package imports metarl while it is being imported itself. Its distributions are loaded later, on use."""
    install(
        tmp_path,
        "external",
        THIRD_PARTY.replace('"Drifter"', '"PointMass"'),
        distributions={"all": "external:DISTRIBUTIONS"},
    )
    result = python(tmp_path, "import external, metarl\nassert metarl.get('Drift') is external.DISTRIBUTIONS[0]")
    assert (result.returncode, result.stderr) == (0, "")


def test_entry_point_of_the_wrong_kind_is_refused(monkeypatch):
    point = EntryPoint("Wrong", "metarl.envs.robots.point_mass:PointMass", "metarl.worlds")
    monkeypatch.setitem(registry._installed, "world", {"Wrong": point})
    with pytest.raises(MetarlError, match=r"an entry point of metarl.worlds, Wrong, holds .*PointMass"):
        registry.find("world", "Wrong")
    missing = EntryPoint("Gone", "metarl.no_such_module:Gone", "metarl.worlds")
    monkeypatch.setitem(registry._installed, "world", {"Gone": missing})
    with pytest.raises(MetarlError, match=r"Gone = metarl.no_such_module:Gone cannot be loaded: ModuleNotFoundError"):
        registry.find("world", "Gone")


# Conflicting parameters, and distributions that do not fit their world -----------------------------------------------


def test_two_perturbations_of_one_parameter_are_refused():
    class Claim(Scaling):
        def __init__(self):
            super().__init__("icy", ("geom_friction",), "")

        def parameters(self, model):
            return (metarl.Parameter("friction", neutral=1.0),)

    metarl.register(Claim())
    with pytest.raises(MetarlError, match=r"perturbation '\w+' and the perturbation '\w+' both claim .*'friction'"):
        metarl.register(icy())


def test_goal_and_perturbation_of_one_parameter_are_refused():
    metarl.register(type("Heavy", (Velocity,), {"name": "heavy", "parameters": (metarl.Parameter("mass"),)}))
    with pytest.raises(
        MetarlError, match="the perturbation 'mass' and the goal 'heavy' both claim the parameter 'mass'"
    ):
        metarl.register(icy(goal="heavy", parameters={"mass": metarl.Uniform(1, 2)}, ood={}))
    metarl.register(icy())  # the conflict concerns distributions with that goal only


WRONG = {
    "world": ({"world": "HalfCheeta"}, "unknown world 'HalfCheeta'; did you mean 'HalfCheetah'"),
    "goal": ({"goal": "velocities"}, "unknown goal 'velocities'; did you mean 'velocity'"),
    "no goal": ({"goal": None}, "a robot needs a goal: advance, balance, .*velocity"),
    "goal in a plane": (
        {"goal": "sparse_place", "parameters": {"place": metarl.Disc(1.0)}, "ood": {}},
        "needs a robot that moves in a plane",
    ),
    "parameter": ({"parameters": {"velosity": metarl.Uniform(0, 1)}, "ood": {}}, "did you mean 'velocity'"),
    "parameter of another goal": (
        {"parameters": {"direction": metarl.Fixed(1.0)}, "ood": {}}, r"unknown parameter of IcyCheetahVel .*'direction'"
    ),
    "setting": ({"settings": {"wieghts": {}}}, "unknown setting of .* 'wieghts'; did you mean 'weights'"),
    "observation part": ({"settings": {"observation": ("postion",)}}, "did you mean 'position'"),
    "no observation": ({"settings": {"observation": ()}}, "lists parts, such as"),
    "observation as a string": ({"settings": {"observation": "position"}}, "lists parts, such as"),
    "reward weight": ({"settings": {"weights": {"ctrl": 0.1}}}, "unknown reward term of IcyCheetahVel 'ctrl'"),
    "weight of a word": ({"settings": {"weights": {"control": "small"}}}, "weights.*numbers.*'small'"),
    "weights as a number": ({"settings": {"weights": 0.1}}, "weights.*numbers"),
    "frame_skip of a fraction": ({"settings": {"frame_skip": 2.5}}, "frame_skip is a whole number of .* 1, got 2.5"),
    "no upright": (
        {"goal": "swing_up", "parameters": {"mass": metarl.Fixed(1.0)}, "ood": {}}, "needs a robot that has an upright"
    ),
    "fall_ends of a word": ({"settings": {"fall_ends": "no"}}, "fall_ends is True or False, got 'no'"),
    "out of bounds": (
        {"parameters": {"friction": metarl.Uniform(-1, 1)}, "ood": {}},
        r"'friction'.*too low; it must lie in \[0.001, 1000\]",
    ),
    "shape": (
        {"parameters": {"velocity": metarl.Uniform([0, 0], [1, 1])}, "ood": {}}, r"shape \[n\].*got \[16, 2\]"),
    "ood inside": ({"ood": {"velocity": metarl.Uniform(1, 2)}}, "the ood sampler of 'velocity' lies inside"),
    "ood out of bounds": ({"ood": {"friction": metarl.Uniform(1001, 1002)}}, "too high"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_distributions_that_do_not_fit_their_world_are_not_registered(changes, message):
    with pytest.raises(MetarlError, match=message):
        metarl.register(icy(**changes))
    assert "IcyCheetahVel" not in registry.names("distribution")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Icy Cheetah"}, "'Icy Cheetah' cannot be a distribution's name: use letters"),
        ({"name": "mine.py:Icy"}, "cannot be a distribution's name"),
        ({"name": ""}, "cannot be a distribution's name"),
        ({"horizon": 0}, "horizon must be a whole number of at least 1, got 0"),
        ({"episodes": 1.5}, "episodes must be a whole number of at least 1, got 1.5"),
        ({"episodes": True}, "got True"),
        ({"split": "random"}, "split must be 'disjoint' or 'iid', got 'random'"),
        ({"parameters": {"velocity": 3.0}, "ood": {}}, r"needs a sampler such as metarl.Uniform\(0, 1\), got 3.0"),
        ({"parameters": {("velocity", "friction"): metarl.Uniform(0, 1)}, "ood": {}}, "needs a sampler"),
        ({"ood": {"velocty": metarl.Uniform(3, 4)}}, "did you mean 'velocity'"),
    ],
)
def test_constructor_of_a_distribution_checks_its_fields(changes, message):
    with pytest.raises(MetarlError, match=message):
        icy(**changes)


def test_agents_can_be_registered():
    agent_type = AgentType("mine", settings=dict, learner=None, restore=lambda *a: None)  # type: ignore[arg-type, return-value]
    metarl.register(agent_type)
    assert registry.find("agent", "mine") is agent_type
    with pytest.raises(MetarlError, match="another agent named 'mine'"):
        metarl.register(replace(agent_type, about="another"))
