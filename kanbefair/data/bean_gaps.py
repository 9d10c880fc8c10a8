"""The gaps of one copy of the Bean table, filled from its other columns.

The publisher's table of dry beans (UCI set 602) has no gaps. A copy of it with 756 empty cells is also in use, and a
user may have that one. The columns of this table define each other, so most gaps can be computed. What is computed is
rounded as the publisher rounds, and then the runs on the table return the authors' released rows.
"""

import numpy
import pandas

BEAN_PERIMETERS = {1523: 751.259, 6354: 913.848, 6516: 918.682}
"""Row number to perimeter in pixels, for the three rows in which the copy lacks both perimeter and roundness."""


def complete_beans(x: pandas.DataFrame) -> pandas.DataFrame:
    """The input columns of UCI set 602 without the gaps that can be filled; a table without gaps comes back as it is.

    `x` has the publisher's column names and the row numbers of the whole file. The definitions (UCI, set 602):
    equivalent diameter √(4·area/π), compactness its ratio to the major axis, solidity area/convex area, roundness
    4π·area/perimeter². Lengths are pixels, areas square pixels.
    """
    pi = numpy.pi
    x = x.copy()
    formulas = (
        ("Area", lambda: pi / 4 * x["EquivDiameter"] ** 2, 0),
        ("Area", lambda: x["Solidity"] * x["ConvexArea"], 0),
        ("EquivDiameter", lambda: numpy.sqrt(4 * x["Area"] / pi), 7),
        ("MajorAxisLength", lambda: x["EquivDiameter"] / x["Compactness"], 7),
        ("Solidity", lambda: x["Area"] / x["ConvexArea"], 9),
        ("Perimeter", lambda: numpy.sqrt(4 * pi * x["Area"] / x["roundness"]), 3),
        ("Perimeter", lambda: pandas.Series(BEAN_PERIMETERS), 3),
        ("roundness", lambda: 4 * pi * x["Area"] / x["Perimeter"] ** 2, 9),
    )
    for column, formula, digits in formulas:
        x[column] = x[column].fillna(formula().round(digits))
    return x
