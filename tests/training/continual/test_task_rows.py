"""The rows that a run trains on, task by task."""

from kanbefair.models.layers import Linear
from kanbefair.training.continual.strategies import STRATEGIES
from kanbefair.training.continual.task_rows import TaskRows


def test_buffer_rows_are_taken_in_turn_from_earlier_tasks_only(spec):
    replay = spec(strategy="replay", buffer=5)
    own = TaskRows(replay, sizes=[4, 3, 6])
    strategy = STRATEGIES["replay"](Linear(1, 1), [replay])
    assert strategy.rows(0, own).tolist() == []
    own.enter(2, strategy.rows(2, own))
    kept = own.rows[6:].tolist()
    assert own.rows[:6].tolist() == list(range(7, 13))
    assert len(set(kept)) == 5 and sorted(row < 4 for row in kept) == [False, False, True, True, True]
