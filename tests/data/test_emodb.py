import numpy
import pytest
import soundfile
import torch
from helpers import SHARED

from kanbefair.data import clips, emodb, load
from kanbefair.errors import InputError

DATA = SHARED / "data"
needs_data = pytest.mark.skipif(not (DATA / "EMODB").is_dir(), reason="../shared/data/EMODB is not here")
SPEAKERS = emodb.MEN + emodb.WOMEN
BOTH = pytest.mark.parametrize("name", ["EMODB", "EMODBMel"])


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """A short recording of each speaker in each emotion, their number made known."""
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(emodb, "RECORDINGS", 70)
    folder = tmp_path / "data" / emodb.FOLDER
    folder.mkdir(parents=True)
    for number, speaker in enumerate(SPEAKERS):
        for emotion in emodb.EMOTIONS:
            tone = 0.05 * (number + 1) * numpy.sin(2 * numpy.pi * 100 * numpy.arange(8000) / 16000)
            soundfile.write(folder / f"{speaker}a01{emotion}a.wav", tone, 16000)
    return tmp_path / "data"


def _counts(task):
    return tuple(len(getattr(task, f"y_{part}")) for part in ("train", "valid", "test"))


@BOTH
def test_parts_are_speakers_with_each_emotion(data_dir, name):
    fair, published = (load(name, data_dir, protocol=protocol) for protocol in ("fair", "published"))
    assert _counts(fair) == (42, 14, 14) and _counts(published) == (56, 0, 14)
    assert (fair.domain, fair.output_size) == ("audio", 7)
    assert fair.input_size == {"EMODB": 1000, "EMODBMel": 512}[name]
    for part in fair.parts:
        count = len(fair.part(part)[1]) // 7
        assert torch.bincount(fair.part(part)[1]).tolist() == [count] * 7


def test_no_voice_is_in_two_parts(data_dir):
    # a speaker's tones are loud by 0.05 for each place in the list
    loud = {part: (load("EMODB", data_dir).part(part)[0].amax(1) / 0.05).round().int().tolist() for part in ("valid", "test")}
    assert {SPEAKERS[n - 1] for n in loud["test"]} == {"15", "16"}
    assert {SPEAKERS[n - 1] for n in loud["valid"]} == {"12", "14"}


@pytest.mark.parametrize("protocol", ["fair", "published"])
def test_spectrograms_are_normalised_by_the_rows_trained_on(data_dir, protocol):
    task = load("EMODBMel", data_dir, protocol=protocol)
    assert float(task.x_train.double().mean()) == pytest.approx(0, abs=1e-5)
    assert float(task.x_train.double().std(correction=0)) == pytest.approx(1, abs=1e-5)
    assert abs(float(task.x_test.double().mean())) > 1e-3


@BOTH
def test_second_load_hits_the_cache(data_dir, name, monkeypatch):
    first = load(name, data_dir)
    monkeypatch.setattr(clips, "clip", lambda *args: pytest.fail("read again"))
    assert torch.equal(load(name, data_dir).x_test, first.x_test)
    load(name, data_dir, protocol="published")


@BOTH
@pytest.mark.parametrize("new", ["04a01Wa", "03c01Wa", "03a01Xa", "03a01W", "03a01Waa"])
def test_unknown_names_are_told(data_dir, name, new):
    folder = data_dir / emodb.FOLDER
    (folder / "03a01Wa.wav").rename(folder / f"{new}.wav")
    with pytest.raises(InputError, match=rf"{name}: '{folder}' is truncated or altered .*'{new}.wav' is not named as"):
        load(name, data_dir)


@BOTH
def test_missing_files_are_told(data_dir, name):
    folder = data_dir / emodb.FOLDER
    (folder / "03a01Wa.wav").unlink()
    with pytest.raises(InputError, match="it has 69 recordings, the publisher's 70"):
        load(name, data_dir)
    folder.rename(data_dir / "elsewhere")
    with pytest.raises(InputError, match=rf"{name}: '{folder}' is missing; take the recordings from the publisher's page"):
        load(name, data_dir)


@BOTH
def test_a_damaged_recording_is_told(data_dir, name):
    path = data_dir / emodb.FOLDER / "03a01Wa.wav"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match=rf"{name}: '{path}' is truncated or altered"):
        load(name, data_dir)


@needs_data
def test_real_files(tmp_path, monkeypatch):
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path))
    task = load("EMODB", DATA)
    assert _counts(task) == (304, 104, 127)
    counts = {part: torch.bincount(task.part(part)[1]).tolist() for part in task.parts}
    assert counts["valid"] == [28, 13, 10, 18, 10, 14, 11]
    assert counts["test"] == [27, 23, 16, 15, 17, 13, 16]
    # anger 127, boredom 81, disgust 46, fear 69, happiness 71, sadness 62, neutral 79: the publisher's counts
    assert [sum(column) for column in zip(*counts.values(), strict=True)] == [127, 81, 46, 69, 71, 62, 79]
    assert load("EMODBMel", DATA).input_size == 512
