"""Where the paper's image sets are downloaded from, the publishers' checksums, and how the files are laid out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A file of an image set.

    - `address`, `checksum`: where it is downloaded from, and its checksum as torchvision states it;
    - `place`: where it lies in the set's folder, "" for the folder itself;
    - `member`: the file or folder that is taken out of it if it is an archive, None if it is kept as it is.
    """

    address: str
    checksum: str
    place: str
    member: str | None = None


def _idx(mirror: str, *sums: str) -> tuple[Source, ...]:
    """The four files of a set that is laid out as MNIST, with their MD5 sums."""
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    return tuple(Source(f"{mirror}/{n}.gz", f"md5:{md5}", f"raw/{n}.gz") for n, md5 in zip(names, sums, strict=True))


_CIFAR = "https://www.cs.toronto.edu/~kriz"
_OXFORD = "https://www.robots.ox.ac.uk/~vgg/data"
_SVHN = "https://ufldl.stanford.edu/housenumbers"

SOURCES = {
    "MNIST": _idx(
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    "EMNIST": (
        Source("https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip", "md5:58c8d27c78d21e728a6bc7b3cc06412e", "raw", "gzip"),
    ),
    "FashionMNIST": _idx(
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    "KMNIST": _idx(
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist",
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
    "cifar-10-batches-py": (
        Source(f"{_CIFAR}/cifar-10-python.tar.gz", "md5:c58f30108f718f92721af3b95e74349a", "", "cifar-10-batches-py"),
    ),
    "cifar-100-python": (
        Source(f"{_CIFAR}/cifar-100-python.tar.gz", "md5:eb9058c3a382ffc7106e4002c42a8d85", "", "cifar-100-python"),
    ),
    "SVHN": (
        Source(f"{_SVHN}/train_32x32.mat", "md5:e26dedcc434d2e4c54c9b2d4a06d8373", "train_32x32.mat"),
        Source(f"{_SVHN}/test_32x32.mat", "md5:eb5a983be6a315427106f1b164d9cef3", "test_32x32.mat"),
    ),
    "dtd": (Source(f"{_OXFORD}/dtd/download/dtd-r1.0.1.tar.gz", "md5:fff73e5086ae6bdbea199a49dfb8a4c1", "dtd", "dtd"),),
    "oxford-iiit-pet": (
        Source(f"{_OXFORD}/pets/data/images.tar.gz", "md5:5c4f3ee8e5d25df40f4fd59a7f44e54c", "images", "images"),
        Source(f"{_OXFORD}/pets/data/annotations.tar.gz", "md5:95a8c909bbe2e81eed6a22bccdf3f68f", "annotations", "annotations"),
    ),
    "tiny-imagenet-200": (
        Source(
            "https://cs231n.stanford.edu/tiny-imagenet-200.zip",
            "md5:90528d7ca1a48142e341f4ef8d21d0de",
            "",
            "tiny-imagenet-200",
        ),
    ),
}
"""The files of each set, by the set's folder. Tiny ImageNet's sum is the one that several public loaders state."""

CONTENT = {
    "MNIST": ("raw/*-ubyte", "8fd8ee93eb819e470159148ee9d43530fe2487e594ef0cc3961813add7181a48"),
    "FashionMNIST": ("raw/*-ubyte", "71a961f96dc59b99d17bc2724a8457e39e02258f6b3636e3f735d4c43fac9315"),
}
"""What the unpacked files of a set's folder must be (`files.check_content`), for those that this package was tested with."""
