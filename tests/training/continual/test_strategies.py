"""What each strategy does to the averages, and the ends at which two strategies are the same."""

import numpy
import pytest

from kanbefair.errors import InputError
from kanbefair.training.continual import strategies
from kanbefair.training.continual.loop import train
from kanbefair.training.continual.strategies import STRATEGIES, Strategy, strategy

KAN = {"model": "KAN", "widths": (3,), "grid": 3}


def test_joint_training_beats_naive(digits, spec):
    naive, joint = (train([spec(**kind, seed=seed) for seed in (1, 2)], digits) for kind in ({}, {"strategy": "joint"}))
    assert all(b["test_average"] > a["test_average"] + 20 for a, b in zip(naive, joint, strict=True))
    assert all(b["test_forgetting"] < a["test_forgetting"] - 20 for a, b in zip(naive, joint, strict=True))


def test_replay_of_the_whole_history_is_joint_training(digits, spec, matrix):
    history = sum(len(task.x_train) for task in spec().tasks_of(digits)[:-1])
    joint, replay, less = (
        train([spec(**kind)], digits)[0]
        for kind in (
            {"strategy": "joint"},
            {"strategy": "replay", "buffer": history},
            {"strategy": "replay", "buffer": history // 2},
        )
    )
    assert numpy.array_equal(matrix(joint), matrix(replay))
    assert not numpy.array_equal(matrix(joint), matrix(less))


def test_a_larger_buffer_forgets_less(digits, spec):
    scores = [train([spec(strategy="replay", buffer=rows)], digits)[0]["test_average"] for rows in (2, 20, 200)]
    assert scores == sorted(scores) and scores[-1] > scores[0] + 10


@pytest.mark.parametrize("model", [{}, KAN])
@pytest.mark.parametrize("strategy", ["ewc", "knots"])
def test_a_strength_of_zero_is_naive_exactly_and_a_large_one_holds_on(digits, model, strategy, spec, matrix):
    naive = train([spec(**model)], digits)[0]
    zero, strong = train([spec(**model, strategy=strategy, strength=value) for value in (0.0, 1e5)], digits)
    assert numpy.array_equal(matrix(naive), matrix(zero))
    assert strong["test_learned"] < naive["test_learned"] - 20 or strong["test_forgetting"] < naive["test_forgetting"]
    assert not numpy.array_equal(matrix(naive), matrix(strong))


@pytest.mark.parametrize(("kind", "strength"), [("ewc", 10.0), ("knots", 0.1)])
def test_a_pull_forgets_the_optimisers_memory_where_asked(digits, spec, matrix, kind, strength):
    carried, reset = (
        train([spec(strategy=kind, strength=strength, optimizer_state=state)], digits)[0] for state in ("carried", "reset")
    )
    assert matrix(carried)[0].tolist() == matrix(reset)[0].tolist()
    assert not numpy.array_equal(matrix(carried), matrix(reset))


def test_a_strategy_needs_only_fields_that_specs_have():
    with pytest.raises(InputError, match="unknown field of a strategy 'bufer'; did you mean 'buffer'"):

        @strategy("mine")
        class Mine(Strategy):
            needs = ("bufer",)

    assert "mine" not in STRATEGIES


def test_a_strategy_of_ones_own_may_be_registered_again_and_one_of_the_package_not(monkeypatch):
    monkeypatch.setattr(strategies, "STRATEGIES", STRATEGIES.copy())

    class Mine(Strategy):
        pass

    class MineAgain(Strategy):
        pass

    for kind in (Mine, MineAgain):
        strategy("mine")(kind)
        assert strategies.STRATEGIES["mine"] is kind
    with pytest.raises(InputError, match=r"^strategy 'ewc' comes with kanbefair and is not replaced; register yours under"):
        strategy("ewc")(Mine)
    assert strategies.STRATEGIES["ewc"] is STRATEGIES["ewc"]
