"""`python -m metarl.benchmarks.dev_speed`: help, and errors of one message."""

import pytest

from metarl.benchmarks.dev_speed.__main__ import COMMANDS, main


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_every_command(arguments, capsys):
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--rounds", "1", "--help"])
    assert end.value.code == 0
    assert f"usage: python -m metarl.benchmarks.dev_speed {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["robot"], "error: unknown speed measurement 'robot'; did you mean 'robots'?"),
        (["maml", "--agent", "rl2", "--rollouts", "1"], "error: the agent 'rl2' has no meta-iteration"),
        (["maml", "--distribution", "Nowhere"], "error: unknown distribution 'Nowhere'"),
        (["robots", "--json", "/nowhere/speed.json"], "error: there is no directory /nowhere"),
    ],
)
def test_a_mistake_is_one_message_and_exit_status_1(arguments, message, capsys):
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
