"""Average, transfer and forgetting of accuracy matrices worked by hand."""

import numpy
import pytest

from kanbefair.training.continual.metrics import summary


def test_metrics_of_a_hand_worked_accuracy_matrix():
    # learned 90, 80, 70; task 1 falls to 30 after a best of 90, task 2 from 80 to 60
    r = numpy.array([[90.0, 10, 20], [50, 80, 0], [30, 60, 70]])
    assert summary(r, "accuracy") == {
        "average": pytest.approx(160 / 3),
        "learned": pytest.approx(80),
        "backward": pytest.approx(-40),
        "backward_paper": pytest.approx(-80 / 3),
        "forgetting": pytest.approx(40),
    }


def test_forgetting_counts_from_the_best_and_backward_transfer_from_the_diagonal():
    r = numpy.array([[60.0, 0], [60, 50]])
    assert summary(r, "accuracy")["forgetting"] == 0
    r = numpy.array([[60.0, 0, 0], [80, 50, 0], [70, 50, 40]])
    found = summary(r, "accuracy")
    assert found["forgetting"] == pytest.approx((10 + 0) / 2)
    assert found["backward"] == pytest.approx((10 + 0) / 2)


def test_for_errors_forgetting_is_positive_when_the_error_grows():
    r = numpy.array([[0.1, 9.0], [0.4, 0.2]])
    assert summary(r, "mae") == {
        "average": pytest.approx(0.3),
        "learned": pytest.approx(0.15),
        "backward": pytest.approx(-0.3),
        "backward_paper": pytest.approx(-0.15),
        "forgetting": pytest.approx(0.3),
    }
