"""Image datasets: scikit-learn's digits, which ship with it, and the paper's sets (docs/protocol.md, Datasets).

torchvision reads the paper's sets, except Tiny ImageNet. Images are flattened channel by channel. Grey
ones come normalised as float32, colour ones as uint8 with the mean and the standard deviation to normalise them with.
"""

import gzip
import logging
import math
from collections.abc import Iterable
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

from kanbefair.data.files import check_content, fetch, fetch_archive, reading, require, unpack
from kanbefair.data.image_files import CONTENT, SOURCES
from kanbefair.data.image_sets import IMAGES, Images
from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task, make_task, overall_moments, validation_split
from kanbefair.data.tensor_cache import cached
from kanbefair.errors import InputError
from kanbefair.folders import appearing


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


def _idx(path: Path, dimensions: int) -> Tensor:
    """The content of an IDX file of bytes, gzipped or not: uint8, with the given number of dimensions.

    Raises `ValueError` if it is of another kind or not as long as it says, and what gzip does for damage.
    """
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    kind, start = bytes((0, 0, 8, dimensions)), 4 + 4 * dimensions
    if not content.startswith(kind):
        raise ValueError(f"it begins with the bytes {content[:4].hex(' ')}, an IDX file of its kind with {kind.hex(' ')}")
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    if len(content) - start != math.prod(shape):
        raise ValueError(f"its header says {math.prod(shape):,} bytes ({shape}), it has {len(content) - start:,}")
    return torch.from_numpy(numpy.frombuffer(bytearray(content), numpy.uint8, offset=start)).reshape(shape)


def _find_idx(request: Request, name: str) -> Path:
    """The path of the IDX file `name` in the folder `raw`, gzipped or not, also where a dot stands before "idx".

    Raises `InputError` if it is not there.
    """
    known = IMAGES[request.name]
    for form in (f"{name}.gz", name):
        for path in (request.data_dir / known.folder / "raw" / spelled for spelled in (form, form.replace("-idx", ".idx"))):
            if path.is_file():
                return path
    hint = f"get it from {known.publisher} and put it there, gzipped or not"
    return require(request, f"{known.folder}/raw/{name}", hint=hint)


def _idx_part(request: Request, part: str) -> tuple[Tensor, Tensor, Path]:
    """What `_part` returns of a set in four IDX files."""
    known = IMAGES[request.name]
    split = known.train.get("split")
    prefix = {"train": "train", "test": "t10k"}[part] if split is None else f"emnist-{split}-{part}"
    images, labels = (_find_idx(request, f"{prefix}-{rest}") for rest in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    with reading(request, images):
        x = _idx(images, 3)
        if x.shape[1:] != (known.size, known.size):
            raise ValueError(f"its images have {x.shape[1]}×{x.shape[2]} pixels, the publisher's {known.size}×{known.size}")
    with reading(request, labels):
        return x.flatten(1), _idx(labels, 1).long(), labels


def _part(request: Request, part: str) -> tuple[Tensor, Tensor, Path]:
    """Pixels, uint8 (N, channels · size · size), class numbers, int64 (N,), and where these stand, of one part."""
    known = IMAGES[request.name]
    path = request.data_dir / known.folder
    if len(known.mean) == 1:
        return _idx_part(request, part)
    from torchvision import transforms

    shape = transforms.Compose([transforms.Resize(known.size), transforms.CenterCrop(known.size)])
    with reading(request, path):
        dataset = _open(known, path, known.train if part == "train" else known.test)
        bar = tqdm(dataset, desc=f"{request.name} {part}", unit="image", leave=False)
        images, labels = zip(*((numpy.asarray(shape(image)), label) for image, label in bar), strict=True)
        return torch.from_numpy(numpy.stack(images)).permute(0, 3, 1, 2).flatten(1), torch.tensor(labels), path


def _tensors(request: Request) -> dict[str, Tensor]:
    """Pixels and class numbers of both parts, as `_part` reads them; `InputError` if they are damaged."""
    known = IMAGES[request.name]
    allowed = set(known.labels or range(known.classes))
    tensors = {}
    for part in ("train", "test"):
        x, y, source = _part(request, part)
        with reading(request, source):
            found = set(y.unique().tolist())
            if len(x) != len(y):
                raise ValueError(f"{len(x):,} images, {len(y):,} labels")
            if found - allowed:
                raise ValueError(f"label {max(found - allowed)}, allowed are {min(allowed)} to {max(allowed)}")
            if part == "train" and allowed - found:
                raise ValueError(f"no train image of class {min(allowed - found)}")
        tensors |= {f"x_{part}": x, f"y_{part}": y}
    return tensors


def _load(request: Request) -> tuple[dict[str, Tensor], Path]:
    """The tensors of both parts, through the tensor cache, and the folder that they come from.

    A logged warning tells of another number of images than the publisher's.
    """
    known = IMAGES[request.name]
    hint = f"get it from {known.publisher} and unpack it there as torchvision lays it out"
    path = require(request, known.folder, download=lambda path: _download(known, path), hint=hint)
    tensors = cached(request, [path], VERSION, lambda: _tensors(request), both_protocols=True)
    for part, rows in zip(("train", "test"), known.rows, strict=True):
        found = len(tensors[f"y_{part}"])
        if found != rows:
            log = logging.getLogger("kanbefair")
            log.warning("%s: '%s' has %s %s images, the publisher's %s", request.name, path, f"{found:,}", part, f"{rows:,}")
    return tensors, path


@register(*IMAGES, domain="vision")
def images(request: Request) -> Task:
    """The paper's image sets, from the folders in which torchvision puts them (SVHN's two files in `SVHN`).

    Images have 28×28 pixels, those of DTD and Pet 224×224. The short side is resized and the middle taken.

    Both protocols normalise with the sets' documented mean and standard deviation. These belong to the whole train
    part, so that under `fair` validation images have a share in them.

    Raises `InputError` if files are missing, truncated or altered.
    """
    known = IMAGES[request.name]
    t, path = _load(request)
    if len(known.mean) == 1:
        t |= {x: t[x].float().div_(255).sub_(known.mean[0]).div_(known.std[0]) for x in ("x_train", "x_test")}
        moments = {}
    else:
        values = {"mean": known.mean, "std": known.std}
        moments = {name: torch.tensor(value).repeat_interleave(known.size**2) for name, value in values.items()}
    train, test = (t["x_train"], t["y_train"]), (t["x_test"], t["y_test"])
    return make_task(request.name, "vision", request.protocol, train, test, output_size=known.classes, source=path, **moments)


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
        with reading(request, path):
            pca = PCA(int(count), svd_solver="covariance_eigh").fit(scaler.transform(x[fit]))
        scaled = {"x_train": scaler.transform(x), "x_test": test_scaler.transform(x_test)}
        return {part: torch.from_numpy(pca.transform(values)) for part, values in scaled.items()}

    p = cached(request, [path], VERSION, build)
    train, test = (p["x_train"], t["y_train"]), (p["x_test"], t["y_test"])
    return make_task(request.name, "vision", request.protocol, train, test, output_size=10, source=path)
