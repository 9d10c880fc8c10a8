import torch
from helpers import spec

from kanbefair.specs import RunSpec
from kanbefair.training import fit


def test_a_record_names_its_run_counts_and_origin(toy):
    run = spec(model="KAN")
    (record,) = fit.train([run], toy())
    assert RunSpec.from_dict(record) == run
    assert record["key"] == run.key
    assert (record["domain"], record["metric"]) == ("symbolic", "mae")
    assert (record["input_size"], record["output_size"], record["train_rows"]) == (4, 2, 125)
    assert record["parameters"] == 4 * 7 * 11 + 7 + 7 * 2 * 11 + 2
    assert record["live_parameters"] == record["parameters"] - 4 * 7 - 7 * 2
    assert record["flops"] > record["flops_shared"] > record["flops_local"]
    assert record["device"] == "cpu"
    assert record["torch"] == torch.__version__.split("+")[0]
    assert record["kanbefair"]
    assert record["python"]
    assert record["commit"]
    assert record["train_seconds"] > 0
