import pytest
import torch
from helpers import spec

from kanbefair import models
from kanbefair.training import evaluation, fit


def test_metrics_are_what_the_trained_network_gives(toy, trained):
    task = toy()
    (record,) = fit.train([spec()], task)
    with torch.no_grad():
        error = trained[0].eval()(task.x_test)[0] - task.y_test
    assert record["test_metric_last"] == pytest.approx(error.abs().mean().item(), rel=1e-6)
    assert record["test_rmse_last"] == pytest.approx(error.square().mean().sqrt().item(), rel=1e-6)
    task = toy("classes")
    (record,) = fit.train([spec()], task, evaluation_rows=7)
    with torch.no_grad():
        right = trained[1].eval()(task.x_test)[0].argmax(1) == task.y_test
    assert record["test_metric_last"] == pytest.approx(100 * right.double().mean().item())


@pytest.mark.parametrize(("widths", "rows"), [((4,), 512), ((40, 64), 256), ((1000,), 128)])
def test_the_wider_a_network_the_fewer_rows_are_evaluated_at_once(toy, widths, rows):
    task = toy("classes")
    assert {evaluation.evaluation_block(models.build([spec(widths=widths)] * runs, task), task) for runs in (1, 9)} == {rows}
