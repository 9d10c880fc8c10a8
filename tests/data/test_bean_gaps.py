import numpy
import pandas

from kanbefair.data.bean_gaps import complete_beans


def test_bean_gaps_are_filled_from_the_other_columns():
    full = pandas.DataFrame(
        {
            "Area": [28395, 42714],
            "Perimeter": [610.291, 751.259],
            "MajorAxisLength": [208.1781167, 266.4714283],
            "ConvexArea": [28715, 43016],
            "EquivDiameter": [190.1410973, 233.2062476],
            "Solidity": [0.988855999, 0.992979357],
            "roundness": [0.958027126, 0.951044266],
            "Compactness": [0.913357755, 0.875164174],
        },
        index=[0, 1523],
    )
    assert complete_beans(full).equals(full)
    for gaps in ["Area"], ["Perimeter"], ["MajorAxisLength"], ["Solidity"], ["roundness"], ["Area", "EquivDiameter"]:
        holed = full.astype(float)
        holed.loc[:, gaps] = numpy.nan
        assert numpy.allclose(complete_beans(holed), full, rtol=2e-9, atol=0)
    holed.loc[1523, ["Perimeter", "roundness"]] = numpy.nan
    assert numpy.allclose(complete_beans(holed), full, rtol=2e-9, atol=0)
