import importlib.util
import shutil
import struct
from pathlib import Path

import numpy
import pytest
import soundfile
import torch
import torchaudio
from helpers import ROOT
from sklearn.linear_model import LogisticRegression

from kanbefair.data import audio, clips, files, load
from kanbefair.errors import InputError

SCRIPT = ROOT / "scripts" / "make_spoken_words.py"
SHARED = ROOT.parent / "shared" / "data"
COMMANDS = {"training": (0, 1, 2, 3), "validation": (4,), "testing": (5, 6)}


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_spoken_words", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "features"), [("SpokenDigits", 1000), ("SpokenDigitsMel", 320)])
@pytest.mark.parametrize(("protocol", "rows"), [("fair", (1200, 400, 400)), ("published", (1600, 0, 400))])
def test_spoken_digits(name, features, protocol, rows):
    task = load(name, protocol=protocol)
    for part, count in zip(("train", "valid", "test"), rows, strict=True):
        x, y = task.part(part)
        assert x.shape == (count, features)
        assert x.dtype == torch.float32
        assert torch.bincount(y, minlength=10).tolist() == [count // 10] * 10
    assert (task.domain, task.metric, task.output_size, task.input_size) == ("audio", "accuracy", 10, features)


def test_waves_are_start_aligned_and_within_one():
    x = load("SpokenDigits").x_train
    assert float(x.abs().max()) <= 1
    assert float((x[:, :20] != 0).any(1).float().mean()) > 0.8
    assert float(x[:, -100:].abs().mean()) < float(x[:, :100].abs().mean()) / 10


@pytest.mark.parametrize("protocol", ["fair", "published"])
def test_mel_is_normalised_by_the_rows_trained_on(protocol):
    task = load("SpokenDigitsMel", protocol=protocol)
    assert float(task.x_train.double().mean()) == pytest.approx(0, abs=1e-5)
    assert float(task.x_train.double().std(correction=0)) == pytest.approx(1, abs=1e-5)
    assert abs(float(task.x_test.double().mean())) > 1e-3


def test_no_voice_is_in_two_parts_and_each_word_is_in_all():
    data = audio.spoken_words("fair")
    voices = [set(data["voice"][data["part"] == part].tolist()) for part in range(3)]
    assert [len(v) for v in voices] == [15, 5, 5]
    assert len(set.union(*voices)) == 25
    recipes = set(zip(data["digit"].tolist(), data["accent"].tolist(), data["voice"].tolist(), strict=True))
    assert len(recipes) == len(data["wave"]) == 2000


def test_script_recipes_match_the_shipped_clips(make):
    recipes = make.recipes()
    data = audio.spoken_words("fair")
    assert [r[:3] for r in recipes] == list(zip(*(data[n].tolist() for n in ("digit", "accent", "voice")), strict=True))
    assert [make.part(r[2]) for r in recipes] == data["part"].tolist()
    assert all(25 <= pitch <= 75 and 120 <= speed <= 200 for *_, pitch, speed in recipes)


def test_script_trims_and_scales(make):
    samples = torch.tensor([0.0, 0.001, 0.25, 0.0, -0.5, 0.002, 0.0])
    assert make.trim(samples).tolist() == [0.5, 0.0, -1.0]


def test_script_fits_the_length(make):
    assert make.fit_length(torch.ones(2), 3).tolist() == [1, 1, 0]
    assert make.fit_length(torch.arange(4), 3).tolist() == [0, 1, 2]


def test_script_resamples_to_one_kilohertz(make):
    time = torch.arange(11025) / 22050
    wave = make.wave(torch.sin(2 * torch.pi * 100 * time), 22050)
    assert wave.shape == (1000,)
    assert wave.dtype == torch.int8
    assert (wave[501:] == 0).all()
    expected = 127 * torch.sin(2 * torch.pi * 100 * torch.arange(20, 480) / 1000)
    assert float((wave[20:480] - expected).abs().max()) < 5


def test_script_mel_puts_a_tone_in_its_band(make):
    time = torch.arange(8000) / 8000
    frames = []
    for frequency in (200, 2000):
        mel = make.mel(torch.sin(2 * torch.pi * frequency * time), 8000, torch.Generator().manual_seed(0))
        assert mel.shape == (320,)
        frames.append(int(mel.reshape(20, 16).float().mean(1).argmax()))
    assert frames[0] < 5 < 10 < frames[1]


def _tone(path, seconds, rate, frequency=50, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.5 * numpy.sin(2 * numpy.pi * frequency * numpy.arange(int(seconds * rate)) / rate)
    soundfile.write(path, numpy.stack([tone * (c + 1) / channels for c in range(channels)], axis=1), rate)
    return path


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (1000, 1)])
def test_clip_is_resampled_averaged_and_padded(rate, channels, tmp_path):
    x = clips.clip(_tone(tmp_path / "a.wav", 0.5, rate, channels=channels))
    assert x.shape == (1000,)
    assert x.dtype == torch.float32
    assert (x[501:] == 0).all()
    share = (channels + 1) / (2 * channels)
    expected = share * 0.5 * torch.sin(2 * torch.pi * 50 * torch.arange(20, 480) / 1000)
    assert float((x[20:480] - expected).abs().max()) < 0.01


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_clip_reads_no_less_than_it_needs(rate, tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, numpy.random.RandomState(0).uniform(-0.9, 0.9, 3 * rate), rate)
    part = clips.clip(path)
    monkeypatch.setattr(clips, "READ_BEYOND", 2)
    assert float((clips.clip(path) - part).abs().max()) < 1e-6


@pytest.mark.parametrize(("kept", "damaged"), [(60_000, False), (8_000, True), (30, True), (0, True)])
def test_clip_tells_a_truncated_file(kept, damaged, tmp_path):
    path = _tone(tmp_path / "a.wav", 4, 8000)
    path.write_bytes(path.read_bytes()[:kept])
    if damaged:
        with pytest.raises((ValueError, RuntimeError)):
            clips.clip(path)
    else:
        assert clips.clip(path).shape == (1000,)


def _wav(path, samples, *, rate=8000, bits=16, promised=None, more=0, before=b"", kind=b"RIFF"):
    """Write a WAV file byte by byte. Its header promises `promised` bytes of samples, and the whole `more` too many.

    `before` are chunks before that of the samples.
    """
    order, sign = ("big", ">") if kind == b"RIFX" else ("little", "<")
    form = struct.pack(f"{sign}IHHIIHH", 16, 1, 1, rate, rate * bits // 8, bits // 8, bits)
    size = len(samples) if promised is None else promised
    rest = b"WAVEfmt " + form + before + b"data" + size.to_bytes(4, order) + samples
    path.write_bytes(kind + (len(rest) + more).to_bytes(4, order) + rest)
    return path


ODD_CHUNK = b"LIST" + struct.pack("<I", 3) + b"abc\0"
"""A chunk of odd size, padded."""


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 400])
def test_very_short_clips_are_read(count, tmp_path):
    x = clips.clip(_wav(tmp_path / "a.wav", numpy.full(count, 8192, "<i2").tobytes()))
    assert x.shape == (1000,) and x.dtype == torch.float32 and x.isfinite().all()
    slow = -(-count // 8)  # one sample in eight is left
    assert (x[slow:] == 0).all() and bool(x[:slow].abs().sum() > 0) == (count > 0)


@pytest.mark.parametrize(
    "header",
    [
        {"more": 8},  # the size is that of the whole file
        {"more": 1},  # counts a padding byte that is not there
        {"more": -8},
        {"promised": 0xFFFFFFFF},  # written to a pipe
        {"promised": 0x7FFFF000},
        {"before": ODD_CHUNK, "more": 8},
    ],
)
def test_a_header_that_is_off_is_no_damage_if_all_samples_are_there(header, tmp_path):
    samples = (8192 * numpy.sin(numpy.arange(4000) / 20)).astype("<i2").tobytes()
    expected = clips.clip(_wav(tmp_path / "a.wav", samples))
    assert torch.equal(clips.clip(_wav(tmp_path / "b.wav", samples, **header)), expected)


def test_eight_bit_clips_of_odd_length_are_read_with_and_without_the_padding_byte(tmp_path):
    samples = bytes([128 + 20 * (number // 40 % 2) for number in range(4001)])
    with_byte = _wav(tmp_path / "a.wav", samples + b"\0", bits=8, promised=4001)
    without = _wav(tmp_path / "b.wav", samples, bits=8, more=1)
    assert torch.equal(clips.clip(with_byte), clips.clip(without))


@pytest.mark.parametrize("form", [{}, {"kind": b"RIFX"}, {"before": ODD_CHUNK}])
@pytest.mark.parametrize("promised", [8001, 8100, 0])
def test_samples_that_are_not_there_are_told(form, promised, tmp_path):
    path = _wav(tmp_path / "a.wav", bytes(8000), promised=promised, **form)
    said = f"its header says that it has {promised:,} bytes of samples, but it has 8,000"
    with pytest.raises(ValueError, match=said):
        clips.clip(path)


@pytest.mark.parametrize("value", [numpy.nan, numpy.inf, -numpy.inf, 1e30])
@pytest.mark.parametrize("place", [0, 4000])
def test_samples_that_are_no_sound_are_told(value, place, tmp_path):
    samples = numpy.zeros(4001)
    samples[place] = value
    soundfile.write(tmp_path / "a.wav", samples, 8000, subtype="FLOAT")
    with pytest.raises(ValueError, match="it has samples that are not finite or larger than 32,768; full scale is 1"):
        clips.clip(tmp_path / "a.wav")


def test_sixteen_bit_integers_as_floats_are_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", numpy.full(8000, -32768.0), 8000, subtype="FLOAT")
    assert clips.clip(tmp_path / "a.wav")[500] == pytest.approx(-32768, rel=1e-3)


@pytest.mark.parametrize("rate", [1, 999, 192_001])
def test_rates_that_no_recording_has_are_told(rate, tmp_path):
    with pytest.raises(ValueError, match=f"it has {rate:,} samples per second, allowed are 1,000 to 192,000"):
        clips.clip(_wav(tmp_path / "a.wav", bytes(4000), rate=rate))


@pytest.mark.parametrize("form", ["FLAC", "AIFF"])
def test_another_format_under_the_name_of_wav_is_told(form, tmp_path):
    soundfile.write(tmp_path / "a.wav", numpy.zeros(8000), 8000, format=form)
    with pytest.raises(ValueError, match=f"it is a file of format {form}, not WAV"):
        clips.clip(tmp_path / "a.wav")


@pytest.fixture(scope="module")
def publishers_files(tmp_path_factory):
    """Small sets in the publishers' layouts."""
    root = tmp_path_factory.mktemp("publishers")
    folder = root / audio.SPEECH_COMMANDS
    for numbers in COMMANDS.values():
        for number in numbers:
            for word in ("yes", "bed"):
                _tone(folder / word / f"a{number}_nohash_0.wav", 1, 16000)
    _tone(folder / "_background_noise_" / "hum.wav", 1, 16000)
    for part in ("validation", "testing"):
        lines = [f"{word}/a{n}_nohash_0.wav\n" for word in ("bed", "yes") for n in COMMANDS[part]]
        folder.joinpath(f"{part}_list.txt").write_text("".join(lines))

    table = root / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv"
    table.parent.mkdir(parents=True)
    lines = ["slice_file_name,fsID,start,end,salience,fold,classID,class\n"]
    for n in range(30):
        _tone(root / "UrbanSound8K" / "audio" / f"fold{n % 3 + 1}" / f"{n}-{n % 10}-0-0.wav", 0.4, 22050, channels=2)
        lines.append(f"{n}-{n % 10}-0-0.wav,{n},0.0,0.4,1,{n % 3 + 1},{n % 10},name\n")
    table.write_text("".join(lines))

    for digit in range(10):
        for index in range(10):
            _tone(root / "free-spoken-digit-dataset" / "recordings" / f"{digit}_ann_{index}.wav", 0.3, 8000)
    return root


@pytest.fixture
def data_dir(publishers_files, tmp_path, monkeypatch):
    """A copy of the small sets, their clip counts made known; no download."""
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(files, "fetch", _no_network)
    monkeypatch.setattr(audio, "SPEECH_COMMANDS_CLIPS", {part: 2 * len(n) for part, n in COMMANDS.items()})
    monkeypatch.setattr(audio, "URBAN_SOUND_CLIPS", 30)
    monkeypatch.setattr(audio, "FSDD_CLIPS", 100)
    monkeypatch.setattr(audio, "FSDD_CONTENT", None)
    return Path(shutil.copytree(publishers_files, tmp_path / "data"))


def _no_network(url, path, checksum=None):
    raise OSError(f"no network for {url}")


REAL = {
    "SpeechCommand": ("yes/a5_nohash_0.wav", 35, {"fair": (8, 2, 4), "published": (8, 0, 4)}),
    "UrbanSound8K": ("fold1/0-0-0-0.wav", 10, None),
    "FSDD": ("recordings/3_ann_2.wav", 10, {"fair": (40, 10, 50), "published": (50, 0, 50)}),
    "FSDDMel": ("recordings/3_ann_2.wav", 10, {"fair": (40, 10, 50), "published": (50, 0, 50)}),
}


@pytest.mark.parametrize("protocol", ["fair", "published"])
@pytest.mark.parametrize("name", REAL)
def test_a_set_in_its_publishers_layout(data_dir, name, protocol):
    _, classes, rows = REAL[name]
    task = load(name, data_dir, protocol=protocol)
    assert (task.output_size, task.metric) == (classes, "accuracy")
    assert task.input_size == (512 if name == "FSDDMel" else 1000)
    assert all(task.part(part)[0].dtype == torch.float32 for part in ("train", "valid", "test"))
    counts = tuple(len(getattr(task, f"y_{part}")) for part in ("train", "valid", "test"))
    if rows:
        assert counts == rows[protocol]
    else:
        assert sum(counts) == 30
        assert (counts[1] == 0) == (protocol == "published")
    assert float(task.x_test.abs().max()) > 0.3


def test_speech_command_words(data_dir):
    task = load("SpeechCommand", data_dir)
    assert sorted(task.y_test.tolist()) == [audio.COMMANDS.index("bed")] * 2 + [audio.COMMANDS.index("yes")] * 2
    assert len(audio.COMMANDS) == 35
    assert sorted(audio.COMMANDS) == list(audio.COMMANDS)


@pytest.mark.parametrize("name", REAL)
def test_second_load_hits_the_cache(data_dir, name, monkeypatch):
    first = load(name, data_dir)
    monkeypatch.setattr(clips, "clip", lambda *args: pytest.fail("read again"))
    second = load(name, data_dir)
    for part in first.parts:
        assert all(map(torch.equal, first.part(part), second.part(part)))
    load(name, data_dir, protocol="published")


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("harm", ["truncated", "altered"])
def test_damaged_clip(data_dir, name, harm):
    load(name, data_dir)
    cache = {path: path.read_bytes() for path in (data_dir.parent / "cache").rglob("*.safetensors")}
    (path,) = data_dir.rglob(REAL[name][0])
    content = path.read_bytes()
    path.write_bytes(content[:500] if harm == "truncated" else b"ID3" + content)
    with pytest.raises(InputError, match=rf"{name}: '.*{path.name}' is truncated or altered"):
        load(name, data_dir)
    assert cache and cache == {p: p.read_bytes() for p in (data_dir.parent / "cache").rglob("*.safetensors")}


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [
        ("SpeechCommand", "yes/a0_nohash_0.wav", "7 training clips"),
        ("FSDD", "recordings/3_ann_2.wav", "99 recordings"),
        ("UrbanSound8K", "fold1/0-0-0-0.wav", "0-0-0-0.wav"),
        ("SpeechCommand", "testing_list.txt", "testing_list.txt"),
    ],
)
def test_missing_file(data_dir, name, path, said):
    (found,) = data_dir.rglob(path)
    found.unlink()
    with pytest.raises(InputError, match=said):
        load(name, data_dir)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("29-9-0-0.wav,29,0.0,0.4,1,3,9,name\n", "", "29 clips"),
        (",1,name", ",12,name", "has classes"),
        (",7,name", ",8,name", "has classes"),
        ("classID", "x", "classID"),
    ],
)
def test_damaged_urban_sound_table(data_dir, old, new, said):
    table = data_dir / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(InputError, match=f"UrbanSound8K.csv' is truncated or altered .*{said}"):
        load("UrbanSound8K", data_dir)


def test_a_byte_order_mark_is_no_part_of_the_urban_sound_table(data_dir):
    expected = load("UrbanSound8K", data_dir)
    table = data_dir / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv"
    table.write_text("\ufeff" + table.read_text(), encoding="utf-8")
    assert torch.equal(load("UrbanSound8K", data_dir).x_test, expected.x_test)


def test_a_clip_that_is_no_sound_is_named(data_dir):
    path = data_dir / "free-spoken-digit-dataset" / "recordings" / "3_ann_2.wav"
    soundfile.write(path, numpy.full(100, numpy.nan), 8000, subtype="FLOAT")
    with pytest.raises(InputError, match=rf"FSDD: '{path}' is truncated or altered .*not finite"):
        load("FSDD", data_dir)


@pytest.mark.parametrize("protocol", ["fair", "published"])
def test_mels_of_recordings_are_normalised_by_the_rows_trained_on(data_dir, protocol):
    for path in data_dir.rglob("*_ann_*.wav"):
        _tone(path, 0.3, 8000, frequency=100 + 50 * int(path.stem[-1]))
    task = load("FSDDMel", data_dir, protocol=protocol)
    assert float(task.x_train.double().mean()) == pytest.approx(0, abs=1e-5)
    assert float(task.x_train.double().std(correction=0)) == pytest.approx(1, abs=1e-5)
    assert abs(float(task.x_test.double().mean())) > 1e-3


def test_unknown_names_of_recordings(data_dir):
    recordings = data_dir / "free-spoken-digit-dataset" / "recordings"
    (recordings / "3_ann_2.wav").rename(recordings / "33_ann_2.wav")
    with pytest.raises(InputError, match="recordings' is truncated or altered"):
        load("FSDD", data_dir)


@pytest.mark.parametrize("name", REAL)
def test_missing_set_says_where_to_put_it(data_dir, name):
    shutil.rmtree(data_dir)
    data_dir.mkdir()
    with pytest.raises(InputError, match=rf"{name}: '{data_dir}.*' is missing .*no network.*; unpack http"):
        load(name, data_dir)


@pytest.mark.parametrize(
    ("name", "packed", "folder", "inside"),
    [
        ("SpeechCommand", "speech_commands_v0.02.tar.gz", audio.SPEECH_COMMANDS, "."),
        ("UrbanSound8K", "UrbanSound8K.tar.gz", "UrbanSound8K", "UrbanSound8K"),
        ("FSDD", "v1.0.10.zip", "free-spoken-digit-dataset", "free-spoken-digit-dataset-1.0.10"),
        ("FSDDMel", "v1.0.10.zip", "free-spoken-digit-dataset", "free-spoken-digit-dataset-1.0.10"),
    ],
)
def test_downloads(data_dir, name, packed, folder, inside, monkeypatch):
    expected = load(name, data_dir)
    outside = data_dir.parent / "outside"
    shutil.move(data_dir / folder, outside / inside if inside != "." else outside)
    ending = ".zip" if packed.endswith(".zip") else ".tar.gz"
    shutil.make_archive(str(data_dir.parent / packed.removesuffix(ending)), {".zip": "zip"}.get(ending, "gztar"), outside)
    shutil.rmtree(data_dir / folder.split("/")[0], ignore_errors=True)

    def copy(url, path, checksum=None):
        assert url.endswith(f"/{packed}")
        shutil.copy(data_dir.parent / packed, path)

    monkeypatch.setattr(files, "fetch", copy)
    task = load(name, data_dir)
    assert torch.equal(task.x_test, expected.x_test)
    left = [p for p in data_dir.rglob("*") if p.name == packed or p.name.startswith(".")]
    assert left == []


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
def test_recordings_at_hand_have_the_known_content():
    files.check_content(SHARED / "free-spoken-digit-dataset", *audio.FSDD_CONTENT)


def test_speech_commands_have_the_checksum_that_torchaudio_states():
    stated = {url.rpartition("/")[2]: sum_ for url, sum_ in torchaudio.datasets.speechcommands._CHECKSUMS.items()}
    assert f"sha256:{stated['speech_commands_v0.02.tar.gz']}" == audio.SPEECH_COMMANDS_CHECKSUM


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
def test_real_fsdd(tmp_path, monkeypatch):
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path))
    task = load("FSDD", SHARED)
    counts = [torch.bincount(getattr(task, f"y_{part}")).tolist() for part in ("train", "valid", "test")]
    assert counts == [[216] * 10, [54] * 10, [30] * 10]
    assert 0.1 < float(task.x_test.abs().amax(1).mean()) < 1
    mel = load("FSDDMel", SHARED)
    assert torch.equal(mel.y_test, task.y_test)
    linear = LogisticRegression(max_iter=100, tol=1e-2).fit(mel.x_train.numpy(), mel.y_train.numpy())
    assert linear.score(mel.x_test.numpy(), mel.y_test.numpy()) > 0.9
