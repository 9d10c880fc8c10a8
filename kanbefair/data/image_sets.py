"""The paper's image sets: what torchvision reads, where it lies, and how its pixels are normalised."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Images:
    """What is known of a set of images.

    - `kind`: torchvision's class that reads it;
    - `train`, `test`: the options of that class which choose the part;
    - `folder`: its place in the data directory;
    - `publisher`: where its files come from;
    - `classes`: the number of classes, or of outputs where the paper has more;
    - `mean`, `std`: those of each channel of the train part, pixels in [0, 1];
    - `rows`: the number of images of the train and the test part;
    - `size`: height and width in pixels, to which images are resized;
    - `labels`: the class numbers that occur, None for all.
    """

    kind: str
    train: dict[str, object]
    test: dict[str, object]
    folder: str
    publisher: str
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rows: tuple[int, int]
    size: int = 28
    labels: range | None = None


def _split(**common: object) -> tuple[dict[str, object], dict[str, object]]:
    """The options for the train and the test part of a class that tells them apart by `train`."""
    return {"train": True, **common}, {"train": False, **common}


_EMNIST = "www.nist.gov/itl/products-and-services/emnist-dataset"
_CIFAR = "www.cs.toronto.edu/~kriz/cifar.html"
_OXFORD = "www.robots.ox.ac.uk/~vgg/data"
_SPLITS = {"split": "train"}, {"split": "test"}

IMAGES = {
    "MNIST": Images("MNIST", *_split(), "MNIST", "yann.lecun.com/exdb/mnist", 10, (0.1307,), (0.3081,), (60_000, 10_000)),
    "EMNIST-Balanced": Images(
        "EMNIST", *_split(split="balanced"), "EMNIST", _EMNIST, 47, (0.1753,), (0.3334,), (112_800, 18_800)
    ),
    "EMNIST-Letters": Images(
        "EMNIST",
        *_split(split="letters"),
        "EMNIST",
        _EMNIST,
        37,
        (0.1724,),
        (0.3311,),
        (124_800, 20_800),
        labels=range(1, 27),
    ),
    "FMNIST": Images(
        "FashionMNIST",
        *_split(),
        "FashionMNIST",
        "github.com/zalandoresearch/fashion-mnist",
        10,
        (0.2860,),
        (0.3530,),
        (60_000, 10_000),
    ),
    "KMNIST": Images("KMNIST", *_split(), "KMNIST", "codh.rois.ac.jp/kmnist", 10, (0.1918,), (0.3483,), (60_000, 10_000)),
    "Cifar10": Images(
        "CIFAR10",
        *_split(),
        "cifar-10-batches-py",
        _CIFAR,
        10,
        (0.4914, 0.4822, 0.4465),
        (0.2470, 0.2435, 0.2616),
        (50_000, 10_000),
    ),
    "Cifar100": Images(
        "CIFAR100",
        *_split(),
        "cifar-100-python",
        _CIFAR,
        100,
        (0.5071, 0.4866, 0.4409),
        (0.2673, 0.2564, 0.2762),
        (50_000, 10_000),
    ),
    "SVHN": Images(
        "SVHN",
        *_SPLITS,
        "SVHN",
        "ufldl.stanford.edu/housenumbers",
        10,
        (0.4381, 0.4442, 0.4734),
        (0.1983, 0.2013, 0.1972),
        (73_257, 26_032),
    ),
    "DTD": Images(
        "DTD",
        *_SPLITS,
        "dtd",
        f"{_OXFORD}/dtd",
        47,
        (0.5283, 0.4738, 0.4231),
        (0.2689, 0.2596, 0.2669),
        (1_880, 1_880),
        224,
    ),
    "Pet": Images(
        "OxfordIIITPet",
        {"split": "trainval"},
        {"split": "test"},
        "oxford-iiit-pet",
        f"{_OXFORD}/pets",
        37,
        (0.4845, 0.4529, 0.3958),
        (0.2686, 0.2645, 0.2735),
        (3_680, 3_669),
        224,
    ),
    "TinyImageNet": Images(
        "TinyImageNet",
        *_SPLITS,
        "tiny-imagenet-200",
        "cs231n.stanford.edu/tiny-imagenet-200.zip",
        200,
        (0.4802, 0.4481, 0.3975),
        (0.2764, 0.2689, 0.2816),
        (100_000, 10_000),
    ),
}
