from functools import partial

import numpy
import pytest
import soundfile
import torch

from kanbefair.data import audio, emodb
from kanbefair.data.spectrograms import BANDS, FLOOR, FRAMES, log_mel

FORMS = {"FSDDMel": audio.FSDD_MEL, "EMODBMel": emodb.MEL}


def _write(path, samples, rate):
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def _centres(rate):
    """The middle frequency of each band, evenly between 0 and rate / 2 on the HTK mel scale."""
    top = 2595 * numpy.log10(1 + rate / 2 / 700)
    return 700 * (10 ** (numpy.linspace(0, top, BANDS + 2)[1:-1] / 2595) - 1)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("band", [3, 16, 28])
def test_a_tone_is_in_its_band_until_it_ends(form, band, tmp_path):
    rate, seconds = form.keywords["rate"], form.keywords["seconds"]
    tone = numpy.sin(2 * numpy.pi * _centres(rate)[band] * numpy.arange(seconds * rate // 2) / rate)
    x = form(_write(tmp_path / "a.wav", tone, rate))
    assert x.shape == (512,) and x.dtype == torch.float32
    x = x.reshape(BANDS, FRAMES)
    assert set(x[:, 1:7].argmax(0).tolist()) == {band}
    assert x[:, 10:].eq(numpy.float32(numpy.log(FLOOR))).all()


def test_the_numbers_are_those_of_a_fourier_transform_and_triangles(tmp_path):
    rate, window = 8000, 512
    samples = numpy.random.RandomState(0).uniform(-0.5, 0.5, rate)
    x = log_mel(_write(tmp_path / "a.wav", samples, rate), rate=rate, seconds=1, window=window).reshape(BANDS, FRAMES)
    hop = rate // FRAMES
    frames = numpy.pad(samples.astype("float32"), window // 2, mode="reflect")
    power = numpy.stack([frames[k * hop : k * hop + window] * numpy.hanning(window + 1)[:-1] for k in range(FRAMES)])
    power = abs(numpy.fft.rfft(power)) ** 2
    top = 2595 * numpy.log10(1 + rate / 2 / 700)
    corners = 700 * (10 ** (numpy.linspace(0, top, BANDS + 2) / 2595) - 1)
    bins = numpy.fft.rfftfreq(window, 1 / rate)
    for band in (0, 10, 31):
        triangle = numpy.interp(bins, corners[band : band + 3], [0, 1, 0])
        assert x[band].numpy() == pytest.approx(numpy.log(power @ triangle + FLOOR), abs=2e-3)


def test_a_recording_is_resampled_and_what_is_after_its_end_does_not_matter(tmp_path):
    generator = numpy.random.RandomState(0)
    form = partial(log_mel, rate=8000, seconds=1, window=512)
    rough = numpy.repeat(generator.uniform(-0.5, 0.5, 1500), 12)  # 1.125 s at 16 kHz
    whole = form(_write(tmp_path / "a.wav", rough, 16000))
    longer = form(_write(tmp_path / "b.wav", numpy.append(rough, generator.uniform(-0.5, 0.5, 16000)), 16000))
    assert torch.equal(whole, longer)
