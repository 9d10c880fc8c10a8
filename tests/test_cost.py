from kanbefair import cost
from kanbefair.specs import grid


def test_an_estimate_counts_what_is_missing_and_takes_time(tmp_path):
    specs = grid(dataset="WineRecognition", model="MLP", widths=[(4,), (64,)], seed=[1, 2], epochs=50)
    (row,) = cost.estimate(specs, runs=tmp_path, workers=1).to_dict("records")
    assert (row["runs"], row["missing"], row["stacks"]) == (4, 4, 2)
    assert 0 < row["hours"] < 0.1
    assert list(tmp_path.iterdir()) == []


def test_nothing_missing_costs_nothing(tmp_path):
    (row,) = cost.estimate([], runs=tmp_path).to_dict("records")
    assert (row["missing"], row["hours"]) == (0, 0.0)
