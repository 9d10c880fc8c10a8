"""The layers and the kinds of run that are measured at each profile."""

from kanbefair.studies.speed import design


def test_the_layers_of_the_embedded_profile_and_the_large_ones_of_a_gpu():
    assert [size[:5] for size in design.sizes("embedded", "cpu")] == [
        (128, 784, 10, 5, 3),
        (128, 784, 64, 5, 3),
        (1024, 64, 64, 5, 3),
        (128, 784, 64, 20, 5),
        (1024, 256, 256, 10, 3),
    ]


def test_on_a_gpu_four_large_layers_more():
    large = design.sizes("embedded", "cuda")[5:]
    assert len(large) == 4
    assert {(size.rows, size.inputs, size.outputs) for size in large} == {(8192, 1024, 1024)}


def test_smoke_is_small():
    assert max(size.rows * size.inputs for size in design.sizes("smoke", "cuda")) < 1000
    assert all(len(values) == 2 for values in design.growth_sizes("smoke").values())


def test_growth_varies_one_size_and_holds_the_others():
    for name, values in design.GROWTH.items():
        varied = {"inputs", "outputs"} if name == "width" else {design.VARIED[name]}
        for size in values:
            rest = {field: value for field, value in size._asdict().items() if field not in varied}
            assert rest == {field: value for field, value in values[0]._asdict().items() if field not in varied}


def test_a_quick_look_measures_the_cells_of_small_data():
    assert [cell.name for cell in design.cells("smoke")] == ["symbolic MLP", "symbolic KAN"]
    assert len(design.cells("embedded")) == len(design.CELLS)
