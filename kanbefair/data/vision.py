"""Image datasets: scikit-learn's digits, which ship with it, and the paper's sets (docs/protocol.md, Datasets).

torchvision reads the paper's sets, except Tiny ImageNet. Images are flattened channel by channel. Grey
ones come normalised as float32, colour ones as uint8 with the mean and the standard deviation to normalise them with.
"""

import gzip
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from tqdm.auto import tqdm

from kanbefair.data.files import appearing, check_content, fetch, fetch_archive, reading, require, unpack
from kanbefair.data.image_files import CONTENT, SOURCES
from kanbefair.data.image_sets import IMAGES, Images
from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task, make_task, overall_moments, validation_split
from kanbefair.data.tensor_cache import cached
from kanbefair.errors import InputError


@register("Digits", domain="vision", embedded=True)
def digits(request: Request) -> Task:
    """scikit-learn's 1,797 handwritten digits of 8×8 pixels. One fifth, in class proportion, is the test part."""
    x, y = load_digits(return_X_y=True)
    parts = train_test_split(x, y, test_size=0.2, random_state=42, stratify=y)
    x_train, x_test, y_train, y_test = map(torch.from_numpy, parts)
    return make_task("Digits", "vision", request.protocol, (x_train, y_train), (x_test, y_test), moments=overall_moments)


VERSION = 1
"""Raise it when the preprocessing below changes, so that cached tensors are made anew."""


def _tiny_imagenet(root: Path, split: str) -> Iterable[tuple[object, int]]:
    """PIL images and class numbers of one part of Tiny ImageNet, a set that torchvision does not know.

    It lies in the folder `root` as its publisher packs it. `train` has a folder for each class. `val`, which is the
    test part, has one folder and a list of classes.
    """
    from torchvision.datasets.folder import default_loader

    folder = root / "tiny-imagenet-200"
    classes = sorted(path.name for path in (folder / "train").iterdir())
    if split == "train":
        found = [(path, name) for name in classes for path in sorted((folder / "train" / name).rglob("*.JPEG"))]
    else:
        lines = (folder / "val" / "val_annotations.txt").read_text().splitlines()
        found = [(folder / "val" / "images" / line.split("\t")[0], line.split("\t")[1]) for line in lines]
    return ((default_loader(path), classes.index(name)) for path, name in found)


def _open(known: Images, path: Path, options: dict[str, object]) -> Iterable[tuple[object, int]]:
    """PIL images and class numbers of one part, chosen by `options`, of the set in the folder `path`."""
    if known.kind == "TinyImageNet":
        return _tiny_imagenet(path.parent, **options)
    from torchvision import datasets

    return getattr(datasets, known.kind)(path if known.kind == "SVHN" else path.parent, **options)


def _download(known: Images, path: Path) -> None:
    """Download the set's files and unpack them. The folder `path` appears when all are there; `OSError` if they are wrong."""
    with appearing(path) as folder:
        for source in SOURCES[known.folder]:
            if source.member is None:
                fetch(source.address, folder / source.place, source.checksum)
            else:
                fetch_archive(source.address, folder / source.place, source.member, source.checksum)
        for packed in folder.glob("raw/*.gz"):
            unpack(packed, packed.parent)
            packed.unlink()
        if known.folder in CONTENT:
            check_content(folder, *CONTENT[known.folder])


@contextmanager
def _unpacked(request: Request, path: Path) -> Iterator[Path]:
    """The folder `path` or, if its files are gzipped as MNIST's publishers pack them, an unpacked copy.

    The copy exists inside the block. Raises `InputError` for a file that cannot be unpacked.
    """
    packed = sorted(path.glob("raw/*.gz"))
    if not packed:
        yield path
        return
    with tempfile.TemporaryDirectory() as root:
        raw = Path(root, path.name, "raw")
        raw.mkdir(parents=True)
        for source in packed:
            with reading(request, source), gzip.open(source) as content, (raw / source.stem).open("wb") as copy:
                shutil.copyfileobj(content, copy)
        yield raw.parent


def _part(known: Images, path: Path, options: dict[str, object], title: str) -> tuple[Tensor, Tensor]:
    """Pixels, uint8 (N, channels · size · size), and class numbers, int64 (N,), of one part; `title` labels the bar."""
    from torchvision import transforms

    dataset = _open(known, path, options)
    if len(known.mean) == 1:
        return dataset.data.flatten(1), dataset.targets
    shape = transforms.Compose([transforms.Resize(known.size), transforms.CenterCrop(known.size)])
    bar = tqdm(dataset, desc=title, unit="image", leave=False)
    images, labels = zip(*((numpy.asarray(shape(image)), label) for image, label in bar), strict=True)
    return torch.from_numpy(numpy.stack(images)).permute(0, 3, 1, 2).flatten(1), torch.tensor(labels)


def _tensors(request: Request, path: Path) -> dict[str, Tensor]:
    """Pixels and class numbers of both parts, as `_part` reads them; `InputError` if they are damaged."""
    known = IMAGES[request.name]
    tensors = {}
    with _unpacked(request, path) as folder, reading(request, path):
        for part, options in (("train", known.train), ("test", known.test)):
            x, y = _part(known, folder, options, f"{request.name} {part}")
            if len(x) != len(y) or y.max() >= known.classes:
                raise ValueError(f"{len(x):,} images, {len(y):,} labels up to {y.max()} of {known.classes} classes")
            tensors |= {f"x_{part}": x, f"y_{part}": y}
    return tensors


def _load(request: Request) -> tuple[dict[str, Tensor], Path]:
    """The tensors of both parts, through the tensor cache, and the folder that they come from."""
    known = IMAGES[request.name]
    hint = f"get it from {known.publisher} and unpack it there as torchvision lays it out"
    path = require(request, known.folder, download=lambda path: _download(known, path), hint=hint)
    return cached(request, [path], VERSION, lambda: _tensors(request, path), both_protocols=True), path


@register(*IMAGES, domain="vision")
def images(request: Request) -> Task:
    """The paper's image sets, from the folders in which torchvision puts them (SVHN's two files in `SVHN`).

    Images have 28×28 pixels, those of DTD and Pet 224×224. The short side is resized and the middle taken.

    Both protocols normalise with the sets' documented mean and standard deviation. These belong to the whole train
    part, so that under `fair` validation images have a share in them.

    Raises `InputError` if files are missing, truncated or altered.
    """
    known = IMAGES[request.name]
    t, _ = _load(request)
    if len(known.mean) == 1:
        t |= {x: t[x].float().div_(255).sub_(known.mean[0]).div_(known.std[0]) for x in ("x_train", "x_test")}
        moments = {}
    else:
        values = {"mean": known.mean, "std": known.std}
        moments = {name: torch.tensor(value).repeat_interleave(known.size**2) for name, value in values.items()}
    train, test = (t["x_train"], t["y_train"]), (t["x_test"], t["y_test"])
    return make_task(request.name, "vision", request.protocol, train, test, output_size=known.classes, **moments)


@register("MNIST_PCA_n", domain="vision", pattern=r"MNIST_PCA_\d+")
def mnist_pca(request: Request) -> Task:
    """MNIST's first n principal components, after each pixel is standardised. The name states n, as in MNIST_PCA_20.

    Components, means and standard deviations come from the rows that are trained on. `published` standardises the test
    pixels with their own mean and standard deviation instead, as the paper's files do.

    Raises `InputError` if n is not from 1 to 784, and as MNIST does.
    """
    count = request.name.rpartition("_")[2]
    if not count.isdigit() or not 1 <= int(count) <= 784:
        raise InputError(f"dataset '{request.name}' must end in a number of components from 1 to 784, as MNIST_PCA_20")
    t, path = _load(replace(request, name="MNIST"))
    published = request.protocol == "published"

    def build() -> dict[str, Tensor]:
        x, x_test = (t[part].numpy().astype(numpy.float32) for part in ("x_train", "x_test"))
        fit = slice(None) if published else validation_split(t["y_train"])[0].numpy()
        scaler = StandardScaler().fit(x[fit])
        test_scaler = StandardScaler().fit(x_test) if published else scaler
        pca = PCA(int(count), svd_solver="covariance_eigh").fit(scaler.transform(x[fit]))
        scaled = {"x_train": scaler.transform(x), "x_test": test_scaler.transform(x_test)}
        return {part: torch.from_numpy(pca.transform(values)) for part, values in scaled.items()}

    p = cached(request, [path], VERSION, build)
    train, test = (p["x_train"], t["y_train"]), (p["x_test"], t["y_test"])
    return make_task(request.name, "vision", request.protocol, train, test, output_size=10)
