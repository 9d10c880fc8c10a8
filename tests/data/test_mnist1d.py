import numpy
import pytest
import torch
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from kanbefair.data import load, mnist1d


class Still:
    """A generator whose draws are the least shift, no noise, scale 1 and no slope."""

    def randint(self, low, high=None):
        return low if high is not None else 0

    def uniform(self, low, high):
        return (low + high) / 2

    def standard_normal(self, count):
        return numpy.zeros(count)


def test_patterns_begin_and_end_at_zero_and_have_the_known_height():
    lines = mnist1d.patterns()
    assert lines.shape == (10, 12)
    assert lines[:, [0, -1]] == pytest.approx(0)
    assert lines.std(1) == pytest.approx(1 / 6)


def test_a_line_without_chance_is_its_stretched_pattern_and_zeros():
    pattern = mnist1d.patterns()[3]
    line = mnist1d.draw(pattern, Still())
    places = numpy.linspace(0, 47, 72)  # 12 points and 36 zeros become 72 points, then 40
    padded = numpy.append(pattern, numpy.zeros(36))
    between = numpy.interp(places, numpy.arange(48), padded)
    assert line == pytest.approx(numpy.interp(numpy.linspace(0, 71, 40), numpy.arange(72), between))
    assert (line[:9] != 0).sum() >= 7 and (line[11:] == 0).all()


def test_a_slope_and_a_shift_are_applied_in_this_order():
    class Shifted(Still):
        def randint(self, low, high=None):
            return low if high is not None else 20

        def uniform(self, low, high):
            return high

    flat = mnist1d.draw(numpy.zeros(12), Shifted())
    assert flat == pytest.approx(-0.375 * numpy.linspace(-0.5, 0.5, 40))
    pattern = mnist1d.patterns()[0]
    moved = mnist1d.draw(pattern, Shifted()) - flat
    assert abs(moved[:10]).max() < 1e-12 and moved[12:20] == pytest.approx(1.2 * mnist1d.draw(pattern, Still())[1:9], abs=0.2)


def test_noise_is_smooth_outside_the_pattern_and_rough_everywhere():
    class Beats(Still):
        """The two draws of noise are a beat outside the pattern, then one at the first point."""

        def __init__(self):
            self.draws = iter(numpy.eye(72)[[50, 0]])

        def standard_normal(self, count):
            return next(self.draws)

    line = mnist1d.draw(numpy.zeros(12), Beats())
    smooth = 0.25 * norm.pdf(numpy.arange(72), 50, 2)
    expected = numpy.interp(numpy.linspace(0, 71, 40), numpy.arange(72), smooth)
    assert line[1:] == pytest.approx(expected[1:], abs=1e-4)
    assert line[0] == pytest.approx(0.02)


@pytest.mark.parametrize(("protocol", "rows"), [("fair", (3200, 800, 1000)), ("published", (4000, 0, 1000))])
def test_parts(protocol, rows):
    task = load("MNIST1D", protocol=protocol)
    assert tuple(len(getattr(task, f"y_{part}")) for part in ("train", "valid", "test")) == rows
    assert (task.domain, task.input_size, task.output_size, task.x_train.dtype) == ("vision", 40, 10, torch.float32)
    everything = torch.cat([task.part(part)[0] for part in task.parts]).double()
    assert float(everything.mean()) == pytest.approx(0, abs=1e-6) and float(everything.std()) == pytest.approx(1, abs=1e-3)
    every = torch.cat([task.part(part)[1] for part in task.parts])
    assert torch.bincount(every).tolist() == [500] * 10


def test_a_linear_model_scores_what_the_authors_say():
    task = load("MNIST1D", protocol="published")
    linear = LinearDiscriminantAnalysis().fit(task.x_train.numpy(), task.y_train.numpy())
    assert linear.score(task.x_test.numpy(), task.y_test.numpy()) == pytest.approx(0.32, abs=0.03)
