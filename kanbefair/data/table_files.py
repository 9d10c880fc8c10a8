"""What is known of the files of tables: their shape, where they come from, which of their rows are the test part."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TableFile:
    """What is known of a table's file.

    `classes` is the number of classes, None if the target is a number, and `inputs` that of input columns: for the paper's
    sets as its files state them. `rows` is the number of rows, None for tables whose file we have not seen. `uci` is the
    number in the UCI repository, None for a table from elsewhere.

    `mlbench` is the name of the table in R's package mlbench, if the file is that one and not UCI's. `test` says how many
    rows at the file's end are the publisher's test part, None that the paper's rule splits (`index_split`). `target` is the
    target's column, None the last; `dropped` are columns that are neither input nor target. `as_written` says that texts
    that differ in case or punctuation alone are different.
    """

    classes: int | None
    inputs: int
    rows: int | None = None
    uci: int | None = None
    mlbench: str | None = None
    test: int | None = None
    target: str | None = None
    dropped: tuple[str, ...] = ()
    as_written: bool = False


TABLES = {
    "Abalone": TableFile(28, 8, 4_177, uci=1),
    "Income": TableFile(2, 14, 48_842, uci=2),
    "Mushroom": TableFile(2, 22, uci=73),
    "Spam": TableFile(2, 57, 4_601, uci=94),
    "Telescope": TableFile(2, 10, 19_020, uci=159),
    "Wine": TableFile(7, 11, 6_497, uci=186),
    "Bank": TableFile(2, 16, 45_211, uci=222),
    "Card": TableFile(2, 23, 30_000, uci=350),
    "Dota": TableFile(2, 115, uci=367),
    "Rice": TableFile(2, 7, 3_810, uci=545),
    "Bean": TableFile(7, 16, 13_611, uci=602),
    "Student": TableFile(3, 36, 4_424, uci=697),
    "Toxicity": TableFile(2, 1_203, uci=728),
    "Darwin": TableFile(2, 451, uci=732),
    "Titanic": TableFile(2, 9, 891, target="Survived", dropped=("PassengerId", "Name"), as_written=True),
    "Ionosphere": TableFile(2, 34, 351, uci=52, mlbench="Ionosphere"),
    "Letter": TableFile(26, 16, 20_000, uci=59, mlbench="LetterRecognition", test=4_000),
    "Splice": TableFile(3, 180, 3_186, uci=69, mlbench="DNA", test=1_186),
    "Satellite": TableFile(6, 36, 6_435, uci=146, mlbench="Satellite", test=2_000),
    "Shuttle": TableFile(7, 9, 58_000, uci=148, mlbench="Shuttle", test=14_500),
    "Vehicle": TableFile(4, 18, 846, uci=149, mlbench="Vehicle"),
    "Vowel": TableFile(11, 9, 990, uci=152, mlbench="Vowel", test=462, dropped=("V1",), as_written=True),
    "Banknote": TableFile(2, 4, 1_372, uci=267),
    "Phoneme": TableFile(2, 5, 5_404),
    "Mammography": TableFile(2, 6, 11_183),
    "AbaloneAge": TableFile(None, 8, 4_177, uci=1),
}

UCI_SUMS = {
    1: "sha256:50126af5ea3554ef637579b40f120be68e26aaa1d354df1e1f0e90775f629b44",
    2: "sha256:82682cd3606b1c0592975abff21db758baed235950a2a9c02931c56f1b8157ee",
    94: "sha256:34fe4a44df6f6ec5ce99711e0ee89f76692118ba56cfa0e3ee9bfc58cf6bddab",
    159: "sha256:0d762a483f7a616d9d773c6b2f9bb487505bf852dc2c48df8773f63600ece94a",
    186: "sha256:2895396422be3e597a390756bd4f3c85b904543e490b7dcf4fcd8b04f3d4c40a",
    222: "sha256:1ae070f431c41d2cc27ebd0e9039409a7fb880d3b1044046f622a266db4c89be",
    267: "sha256:6da87da586c6089307c59824a5127df375fe14301ac628acc5d7b3b4a32db9a5",
    350: "sha256:b6baa641b247781a4fb49540db25f0c0399adbee89756b8a315ac23aa191e961",
    545: "sha256:4c8c6d315d071ca9d78ca32cde0b5072d37b2f9f06fa9acc1fd6540ab738f3c3",
    602: "sha256:23036ba7ef1886ee59ae56b96b376f856c011588a7a3bf241f8095abb310b5c4",
    697: "sha256:11d98915ed5b60361afe44408480aa45f42be6f55be7dda62275ac5695caa495",
}
"""The checksums of the tables that this package was tested with, as their downloads are saved here, by their number."""
