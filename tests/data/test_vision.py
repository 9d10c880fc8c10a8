import gc
import gzip
import pickle
import shutil
import socket
import struct
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy
import pandas
import pytest
import scipy.io
import torch
import torchvision
from helpers import SHARED
from PIL import Image
from torchvision import transforms

from kanbefair import data
from kanbefair.data import files as downloads
from kanbefair.data import image_files, image_sets, vision
from kanbefair.data.task import validation_split
from kanbefair.errors import InputError

DATA = SHARED / "data"
CLASSES = 3
ROWS = {"train": 30, "test": 9}


def labels(part):
    return [i % CLASSES for i in range(ROWS[part])]


def pixels(part, *shape):
    return numpy.random.RandomState(len(part)).randint(0, 256, (ROWS[part], *shape), numpy.uint8)


def write_idx(path, array, packed):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    if packed:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content))
    else:
        path.write_bytes(content)


def write_mnist(root, folder, prefixes=("train", "t10k"), packed=True):
    for part, prefix in zip(ROWS, prefixes, strict=True):
        write_idx(root / folder / "raw" / f"{prefix}-images-idx3-ubyte", pixels(part, 28, 28), packed)
        write_idx(root / folder / "raw" / f"{prefix}-labels-idx1-ubyte", numpy.uint8(labels(part)), packed)


def write_emnist(root, split):
    write_mnist(root, "EMNIST", (f"emnist-{split}-train", f"emnist-{split}-test"), packed=False)


def write_cifar(root, folder, batches, key, meta, names):
    (root / folder).mkdir()
    for part, parts in batches.items():
        for rows, y, name in zip(
            numpy.array_split(pixels(part, 3072), len(parts)),
            numpy.array_split(labels(part), len(parts)),
            parts,
            strict=True,
        ):
            (root / folder / name).write_bytes(pickle.dumps({"data": rows, key: y.tolist()}))
    (root / folder / meta).write_bytes(pickle.dumps({names: ["a", "b", "c"]}))


def write_cifar10(root):
    batches = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
    write_cifar(root, "cifar-10-batches-py", batches, "labels", "batches.meta", "label_names")


def write_cifar100(root):
    batches = {"train": ["train"], "test": ["test"]}
    write_cifar(root, "cifar-100-python", batches, "fine_labels", "meta", "fine_label_names")


def write_svhn(root):
    (root / "SVHN").mkdir()
    for part in ROWS:
        y = numpy.array([label or 10 for label in labels(part)], numpy.uint8)[:, None]
        content = {"X": pixels(part, 32, 32, 3).transpose(1, 2, 3, 0), "y": y}
        scipy.io.savemat(root / "SVHN" / f"{part}_32x32.mat", content, do_compression=True)


def write_jpegs(root, shape, name):
    for part in ROWS:
        for row, (image, label) in enumerate(zip(pixels(part, *shape), labels(part), strict=True)):
            path = root / name(part, row, label)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path, "JPEG")


def write_dtd(root):
    folder = root / "dtd" / "dtd"
    write_jpegs(folder / "images", (30, 40, 3), lambda part, row, label: f"c{label}/{part}{row}.jpg")
    (folder / "labels").mkdir()
    for part in ROWS:
        lines = [f"c{label}/{part}{row}.jpg" for row, label in enumerate(labels(part))]
        (folder / "labels" / f"{part}1.txt").write_text("\n".join([*lines, ""]))


def write_pet(root):
    folder = root / "oxford-iiit-pet"
    write_jpegs(folder / "images", (40, 30, 3), lambda part, row, label: f"breed{label}_{part}{row}.jpg")
    (folder / "annotations").mkdir()
    for part, file in {"train": "trainval.txt", "test": "test.txt"}.items():
        lines = [f"breed{label}_{part}{row} {label + 1} 1 1" for row, label in enumerate(labels(part))]
        (folder / "annotations" / file).write_text("\n".join([*lines, ""]))


def write_tiny(root):
    folder = root / "tiny-imagenet-200"
    places = {"train": "train/n{label}/images/n{label}_{row}.JPEG", "test": "val/images/val_{row}.JPEG"}
    write_jpegs(folder, (64, 64, 3), lambda part, row, label: places[part].format(row=row, label=label))
    lines = [f"val_{row}.JPEG\tn{label}\t0\t32\t44\t62" for row, label in enumerate(labels("test"))]
    (folder / "val" / "val_annotations.txt").write_text("\n".join([*lines, ""]))


WRITERS = {
    "MNIST": lambda root: write_mnist(root, "MNIST"),
    "FMNIST": lambda root: write_mnist(root, "FashionMNIST"),
    "KMNIST": lambda root: write_mnist(root, "KMNIST", packed=False),
    "EMNIST-Balanced": lambda root: write_emnist(root, "balanced"),
    "EMNIST-Letters": lambda root: write_emnist(root, "letters"),
    "Cifar10": write_cifar10,
    "Cifar100": write_cifar100,
    "SVHN": write_svhn,
    "DTD": write_dtd,
    "Pet": write_pet,
    "TinyImageNet": write_tiny,
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data directory, the sizes of small sets made known.

    torchvision takes CIFAR and SVHN files whatever their checksum, and nobody has a network.
    """
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path / "cache"))
    for name, known in image_sets.IMAGES.items():
        small = replace(known, classes=CLASSES, labels=None, rows=tuple(ROWS.values()))
        monkeypatch.setitem(image_sets.IMAGES, name, small)
    for module in (torchvision.datasets.cifar, torchvision.datasets.svhn):
        monkeypatch.setattr(module, "check_integrity", lambda path, md5=None: Path(path).is_file())
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def refuse(*args, **kwargs):
    raise OSError("refused")


def cache_of(root, name):
    return root.parent / "cache" / "tensors" / f"{name}-both.safetensors"


def same(a, b):
    return a.parts == b.parts and all(
        torch.equal(x, y) for part in a.parts for x, y in zip(a.part(part), b.part(part), strict=True)
    )


def test_every_image_set_is_tested():
    assert set(WRITERS) == set(image_sets.IMAGES)
    assert {"Digits", "MNIST_PCA_n", "MNIST1D", *WRITERS} == set(data.names("vision"))


@pytest.mark.parametrize("name", WRITERS)
def test_loads_what_is_on_disk_and_then_what_is_in_the_cache(name, root, monkeypatch):
    WRITERS[name](root)
    known = image_sets.IMAGES[name]
    published, fair = (data.load(name, root, protocol=protocol) for protocol in ("published", "fair"))
    order = sorted if name == "TinyImageNet" else list
    assert published.y_train.tolist() == order(labels("train")) and published.y_test.tolist() == labels("test")
    assert published.input_size == known.size**2 * len(known.mean) and published.output_size == known.classes
    fit, valid = validation_split(published.y_train)
    assert torch.equal(fair.x_train, published.x_train[fit]) and torch.equal(fair.x_valid, published.x_train[valid])
    assert torch.equal(fair.x_test, published.x_test) and len(published.x_valid) == 0
    monkeypatch.setattr(vision, "_tensors", refuse)
    assert same(data.load(name, root, protocol="published"), published)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # torchvision leaves the JPEG open
@pytest.mark.parametrize("name", WRITERS)
def test_a_truncated_file_is_told_and_the_cache_is_untouched(name, root):
    WRITERS[name](root)
    data.load(name, root)
    before = cache_of(root, name).read_bytes()
    folder = root / image_sets.IMAGES[name].folder
    largest = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])
    with pytest.raises(InputError) as caught:
        data.load(name, root)
    message = str(caught.value)
    assert message.startswith(f"{name}: '{folder}") and "is truncated or altered" in message and "\n" not in message
    assert cache_of(root, name).read_bytes() == before
    del caught
    gc.collect()


@pytest.mark.parametrize("name", [*WRITERS, "MNIST_PCA_5"])
def test_missing_files_are_named(name, root):
    with pytest.raises(InputError) as caught:
        data.load(name, root)
    message, known = str(caught.value), image_sets.IMAGES[name.partition("_")[0]]
    path = root / known.folder
    assert f"'{path}' is missing and the download failed" in message and "\n" not in message
    assert "refused" in message and known.publisher in message
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("name", ["Cifar10", "SVHN"])
def test_a_wrong_checksum_is_told(name, root, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("KANBEFAIR_CACHE", str(root.parent / "cache"))
    WRITERS[name](root)
    with pytest.raises(InputError, match=r"is truncated or altered .*corrupted"):
        data.load(name, root)
    assert not cache_of(root, name).exists()


def test_grey_images_are_normalised_as_torchvision_does(root):
    WRITERS["KMNIST"](root)
    steps = [transforms.ToTensor(), transforms.Normalize(0.1918, 0.3483), transforms.Lambda(torch.flatten)]
    expected = torchvision.datasets.KMNIST(root, train=False, transform=transforms.Compose(steps))
    task = data.load("KMNIST", root, protocol="published")
    assert task.x_test.dtype == torch.float32
    assert torch.equal(task.x_test, torch.stack([image for image, _ in expected]))


@pytest.mark.parametrize(("name", "kind"), [("Cifar10", "CIFAR10"), ("Cifar100", "CIFAR100")])
def test_colour_images_stay_uint8_and_are_normalised_as_torchvision_does(name, kind, root):
    WRITERS[name](root)
    known = image_sets.IMAGES[name]
    steps = [transforms.Resize((28, 28)), transforms.ToTensor(), transforms.Normalize(known.mean, known.std)]
    dataset = getattr(torchvision.datasets, kind)(root, transform=transforms.Compose([*steps, torch.flatten]))
    task = data.load(name, root, protocol="published")
    assert task.x_train.dtype == torch.uint8
    assert torch.equal(task.inputs(task.x_train), torch.stack([image for image, _ in dataset]))


@pytest.mark.parametrize(("wrong", "said"), [([3] * 9, "label 3, allowed are 0 to 2"), ([1, 2], "9 images, 2 labels")])
def test_labels_that_do_not_fit_are_told(wrong, said, root):
    WRITERS["KMNIST"](root)
    write_idx(root / "KMNIST/raw/t10k-labels-idx1-ubyte", numpy.uint8(wrong), packed=False)
    with pytest.raises(InputError, match=rf"KMNIST/raw/t10k-labels-idx1-ubyte' is truncated or altered .*{said}"):
        data.load("KMNIST", root)


FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.mark.parametrize("gunzipped", [FILES[:1], FILES[1:3], FILES])
@pytest.mark.parametrize("dot", [False, True])
def test_idx_files_may_be_gunzipped_and_have_a_dot_in_their_names(gunzipped, dot, root):
    WRITERS["MNIST"](root)
    expected = data.load("MNIST", root)
    for name in FILES:
        path = root / "MNIST/raw" / f"{name}.gz"
        if name in gunzipped:
            path.with_name(name).write_bytes(gzip.decompress(path.read_bytes()))
            path.unlink()
            path = path.with_name(name)
        if dot:
            path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert same(data.load("MNIST", root), expected)


def test_idx_files_are_read_by_what_they_hold_whatever_their_ending(root):
    WRITERS["MNIST"](root)
    expected = data.load("MNIST", root)
    for name in FILES[:2]:  # as some browsers save them
        path = root / "MNIST/raw" / f"{name}.gz"
        path.write_bytes(gzip.decompress(path.read_bytes()))
    for name in FILES[2:]:
        (root / "MNIST/raw" / f"{name}.gz").rename(root / "MNIST/raw" / name)
    assert same(data.load("MNIST", root), expected)


@pytest.mark.parametrize("name", FILES)
def test_the_one_idx_file_that_is_missing_is_named(name, root):
    WRITERS["MNIST"](root)
    (root / "MNIST/raw" / f"{name}.gz").unlink()
    with pytest.raises(InputError, match=rf"^MNIST: '{root}/MNIST/raw/{name}' is missing; get it from yann.lecun.com"):
        data.load("MNIST", root)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content[:-1], r"its header says 7,056 bytes \(\[9, 28, 28\]\), it has 7,055"),
        (lambda content: content + b"\0", "it has 7,057"),
        (lambda content: content[:4] + bytes((0, 0, 0, 8)) + content[8:], r"6,272 bytes \(\[8, 28, 28\]\), it has 7,056"),
        (lambda content: b"\0\0\x0d\x03" + content[4:], "it begins with the bytes 00 00 0d 03, .* 00 00 08 03"),
        (lambda content: b"", "it begins with the bytes"),
        (lambda content: content[:6], "it has -10"),
    ],
)
def test_an_idx_file_that_is_not_as_it_says_is_named(change, said, root):
    WRITERS["KMNIST"](root)
    path = root / "KMNIST/raw" / FILES[2]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=rf"^KMNIST: '{path}' is truncated or altered .*{said}"):
        data.load("KMNIST", root)


@pytest.mark.parametrize("part", ROWS)
def test_images_of_another_size_are_named(part, root):
    WRITERS["KMNIST"](root)
    path = root / "KMNIST/raw" / FILES[0 if part == "train" else 2]
    write_idx(path, pixels(part, 27, 28), packed=False)
    with pytest.raises(InputError, match=rf"^KMNIST: '{path}' .*its images have 27×28 pixels, the publisher's 28×28"):
        data.load("KMNIST", root)


def test_a_class_that_is_missing_from_the_train_part_is_named(root):
    WRITERS["KMNIST"](root)
    path = root / "KMNIST/raw" / FILES[1]
    write_idx(path, numpy.uint8([i % 2 for i in range(30)]), packed=False)
    with pytest.raises(InputError, match=rf"^KMNIST: '{path}' .*no train image of class 2"):
        data.load("KMNIST", root)


def test_emnist_letters_have_26_classes_and_37_outputs(root, monkeypatch):
    known = replace(image_sets.IMAGES["EMNIST-Letters"], classes=37, labels=range(1, 27))
    monkeypatch.setitem(image_sets.IMAGES, "EMNIST-Letters", known)
    write_emnist(root, "letters")
    for part, rows in ROWS.items():
        letters = numpy.uint8([1 + i % 26 for i in range(rows)])
        write_idx(root / f"EMNIST/raw/emnist-letters-{part}-labels-idx1-ubyte", letters, packed=False)
    task = data.load("EMNIST-Letters", root, protocol="published")
    assert task.output_size == 37 and set(task.y_train.tolist()) == set(range(1, 27))


def test_another_number_of_images_than_the_publishers_is_said_each_time(root, monkeypatch, caplog):
    WRITERS["MNIST"](root)
    data.load("MNIST", root)
    assert caplog.text == ""
    monkeypatch.setitem(image_sets.IMAGES, "MNIST", replace(image_sets.IMAGES["MNIST"], rows=(60_000, 9)))
    for _ in range(2):
        caplog.clear()
        assert len(data.load("MNIST", root, protocol="published").x_train) == 30
        assert caplog.messages == [f"MNIST: '{root / 'MNIST'}' has 30 train images, the publisher's 60,000"]


def test_more_components_than_images_are_told(root):
    WRITERS["MNIST"](root)
    with pytest.raises(InputError, match=r"MNIST_PCA_50: '.*MNIST' .*n_components=50 must be between"):
        data.load("MNIST_PCA_50", root)


@pytest.mark.parametrize("name", WRITERS)
def test_a_missing_set_is_downloaded_and_laid_out_as_torchvision_has_it(name, root, monkeypatch):
    folder = image_sets.IMAGES[name].folder
    publisher = root.parent / "publisher"
    publisher.mkdir()
    WRITERS[name](publisher)
    for path in (publisher / folder).glob("raw/*-ubyte"):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    if folder == "EMNIST":
        (publisher / "EMNIST" / "raw").rename(publisher / "EMNIST" / "gzip")
    asked = []

    def save(url, path):
        asked.append(url)
        (source,) = (source for source in image_files.SOURCES[folder] if source.address == url)
        if source.member is None:
            shutil.copy(publisher / folder / source.place, path)
        else:
            base = publisher / folder if source.place else publisher
            kind = "zip" if url.endswith(".zip") else "gztar"
            shutil.move(shutil.make_archive(str(path.with_name("made")), kind, base, source.member), path)
        return True

    monkeypatch.setattr(downloads, "_save", save)
    with pytest.raises(InputError, match=rf"{folder}' is missing and the download failed .*md5 hash"):
        data.load(name, root)
    assert list(root.iterdir()) == [] and len(asked) == 1
    monkeypatch.setattr(downloads, "check_sum", lambda path, checksum: None)
    if folder in image_files.CONTENT:
        with pytest.raises(InputError, match=r"the 4 files 'raw/\*-ubyte' are not those that this package was tested with"):
            data.load(name, root)
        assert list(root.iterdir()) == []
        monkeypatch.setattr(vision, "CONTENT", {})
    task = data.load(name, root)
    assert asked[-len(image_files.SOURCES[folder]) :] == [source.address for source in image_files.SOURCES[folder]]
    assert [path.name for path in root.iterdir()] == [folder] and not list(root.rglob("*.gz"))
    WRITERS[name](root.parent)
    assert same(task, data.load(name, root.parent))


def test_checksums_are_those_that_torchvision_states():
    sets = torchvision.datasets
    stated = {
        "MNIST": [md5 for _, md5 in sets.MNIST.resources],
        "EMNIST": [sets.EMNIST.md5],
        "FashionMNIST": [md5 for _, md5 in sets.FashionMNIST.resources],
        "KMNIST": [md5 for _, md5 in sets.KMNIST.resources],
        "cifar-10-batches-py": [sets.CIFAR10.tgz_md5],
        "cifar-100-python": [sets.CIFAR100.tgz_md5],
        "SVHN": [sets.SVHN.split_list[part][2] for part in ("train", "test")],
        "dtd": [sets.DTD._MD5],
        "oxford-iiit-pet": [md5 for _, md5 in sets.OxfordIIITPet._RESOURCES],
    }
    ours = {folder: [one.checksum.removeprefix("md5:") for one in found] for folder, found in image_files.SOURCES.items()}
    assert ours.pop("tiny-imagenet-200") and ours == stated
    assert set(image_files.SOURCES) == {known.folder for known in image_sets.IMAGES.values()}


@pytest.mark.skipif(not (DATA / "MNIST").is_dir(), reason="../shared/data is not here")
@pytest.mark.parametrize("folder", image_files.CONTENT)
def test_the_files_at_hand_have_the_known_content(folder, tmp_path):
    (tmp_path / "raw").mkdir()
    for packed in (DATA / folder / "raw").glob("*.gz"):
        downloads.unpack(packed, tmp_path / "raw")
    downloads.check_content(tmp_path, *image_files.CONTENT[folder])


def test_principal_components_come_from_the_rows_trained_on(root):
    WRITERS["MNIST"](root)
    published, fair = (data.load("MNIST_PCA_4", root, protocol=protocol) for protocol in ("published", "fair"))
    assert published.name == "MNIST_PCA_4" and published.x_train.shape == (30, 4) and published.output_size == 10
    assert published.x_train.mean(0).abs().max() < 1e-4
    assert (published.x_train.var(0).diff() < 0).all()
    assert published.x_test.mean(0).abs().max() < 1e-4 < fair.x_test.mean(0).abs().max()
    _, valid = validation_split(published.y_train)
    changed = pixels("train", 28, 28)
    changed[valid] = 255
    write_idx(root / "MNIST/raw/train-images-idx3-ubyte", changed, packed=True)
    write_idx(root / "MNIST/raw/t10k-images-idx3-ubyte", 255 - pixels("test", 28, 28), packed=True)
    after = data.load("MNIST_PCA_4", root)
    assert torch.allclose(after.x_train, fair.x_train, atol=1e-4)
    assert not torch.allclose(after.x_valid, fair.x_valid, atol=1e-4)
    assert not torch.allclose(data.load("MNIST_PCA_4", root, protocol="published").x_train, published.x_train, atol=1e-4)


@pytest.mark.parametrize("name", ["MNIST_PCA_0", "MNIST_PCA_785", "MNIST_PCA_n"])
def test_number_of_components_is_checked(name, root):
    with pytest.raises(InputError, match=rf"'{name}' must end in a number of components from 1 to 784"):
        data.load(name, root)


def test_sizes_are_those_of_the_released_grid():
    grid = pandas.read_csv(files("kanbefair.studies.speed") / "released_grid.csv").drop_duplicates("dataset")
    grid = grid[grid["dataset"].isin(image_sets.IMAGES)]
    assert len(grid) == 8
    for row in grid.itertuples():
        known = image_sets.IMAGES[row.dataset]
        assert (known.rows, known.classes) == ((row.train_rows, row.test_rows), row.outputs)
        assert known.size**2 * len(known.mean) == row.inputs


@pytest.mark.skipif(not (DATA / "FashionMNIST").is_dir(), reason="../shared/data is not here")
def test_real_fashion_mnist(tmp_path, monkeypatch):
    monkeypatch.setenv("KANBEFAIR_CACHE", str(tmp_path))
    task = data.load("FMNIST", DATA)
    assert (len(task.x_train), len(task.x_valid), len(task.x_test)) == (48_000, 12_000, 10_000)
    assert task.y_test.bincount().tolist() == [1000] * 10
    everything = torch.cat([task.x_train, task.x_valid])
    assert abs(everything.mean()) < 1e-3 and abs(everything.std() - 1) < 1e-3
    monkeypatch.setattr(vision, "_tensors", None)
    again = data.load("FMNIST", DATA)
    assert torch.equal(again.x_train, task.x_train) and torch.equal(again.y_valid, task.y_valid)
