from dataclasses import replace

import numpy
import pytest
import torch
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from kanbefair import data
from kanbefair.data.task import Task, checked, feature_moments, make_task, overall_moments, validation_split
from kanbefair.errors import InputError


def parts(rows=20, tests=10, classes=2):
    x = torch.randn(rows + tests, 3, generator=torch.Generator().manual_seed(0))
    y = torch.arange(rows + tests) % classes
    return (x[:rows], y[:rows]), (x[rows:], y[rows:])


def build(train, test, protocol="fair", **fields):
    return make_task("Mine", "tabular", protocol, train, test, **fields)


# ----- moments


@pytest.mark.parametrize("value", [14.62, 0.1, -11.512925464970229, 1e6 + 0.1, 3e38, 1e-40])
@pytest.mark.parametrize("rows", [3, 22, 977, 1000])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_constant_column_is_scaled_by_one(value, rows, dtype):
    x = torch.randn(rows, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))
    x[:, 1] = value
    mean, std = feature_moments(x)
    assert mean.dtype == std.dtype == torch.float64
    assert std[1] == 1 and abs(mean[1] - x[0, 1]) <= 1e-12 * abs(value)
    expected = StandardScaler().fit(x[:, ::2].numpy())
    assert std[::2].tolist() == expected.scale_.tolist() and mean[::2].tolist() == expected.mean_.tolist()


def test_a_test_value_beside_a_constant_column_keeps_its_size():
    (x, y), (x_test, y_test) = parts()
    x, x_test = x.double(), x_test.double()
    x[:, 1] = x_test[:, 1] = 14.62
    x_test[0, 1] = 14.63
    task = build((x, y), (x_test, y_test), moments=feature_moments)
    assert task.x_train[:, 1].abs().max() < 1e-12
    assert task.x_test[:2, 1].tolist() == pytest.approx([0.01, 0], abs=1e-9)


def test_pixels_that_are_all_the_same_are_scaled_by_one():
    for value in (0.1, 255.0):
        assert overall_moments(torch.full((977, 3), value).double())[1] == 1


# ----- the validation part


@pytest.mark.parametrize(("rows", "classes"), [(20, 10), (100, 26), (9, 4), (3, 3), (2, 1), (5, 5), (2, 2)])
def test_with_more_classes_than_held_out_rows_any_rows_are_held_out(rows, classes):
    fit, valid = validation_split(torch.arange(rows) % classes)
    assert sorted([*fit.tolist(), *valid.tolist()]) == list(range(rows))
    assert len(valid) == -(-rows // 5)


def test_with_as_many_classes_as_held_out_rows_each_class_is_held_out_once():
    y = torch.arange(50) % 10
    assert sorted(y[validation_split(y)[1]].tolist()) == list(range(10))


@pytest.mark.parametrize("targets", [torch.arange(200) % 3, torch.rand(200, 1)])
def test_a_division_draws_what_is_held_out_as_scikit_learn_does(targets):
    labels = targets.numpy() if targets.dtype == torch.int64 else None
    for division in (0, 1, 7):
        expected = train_test_split(numpy.arange(200), test_size=0.2, random_state=division, stratify=labels)
        found = validation_split(targets, division)
        assert [part.tolist() for part in found] == [sorted(part.tolist()) for part in expected]
    assert torch.equal(validation_split(targets)[1], validation_split(targets, 0)[1])
    assert not torch.equal(validation_split(targets)[1], validation_split(targets, 1)[1])


def test_one_row_cannot_be_split():
    with pytest.raises(InputError, match="a validation part cannot be held out of 1 rows; give at least 2"):
        validation_split(torch.tensor([0]))


# ----- what make_task refuses

(X, Y), (X_TEST, Y_TEST) = parts()
NAN, INFINITE = X.clone(), X_TEST.clone()
NAN[3, 1], INFINITE[7, 2] = torch.nan, -torch.inf
WRONG = {
    "x NaN": ((NAN, Y), (X_TEST, Y_TEST), "x_train has NaN or infinity in row 3,"),
    "x infinite": ((X, Y), (INFINITE, Y_TEST), "x_test has NaN or infinity in row 7,"),
    "y NaN": ((X, NAN), (X_TEST, X_TEST), "y_train has NaN or infinity in row 3,"),
    "x float64": ((X.double(), Y), (X_TEST.double(), Y_TEST), r"x_train is float64 \(20, 3\); inputs must be float32"),
    "x flat": ((X[:, 0], Y), (X_TEST[:, 0], Y_TEST), r"x_train is float32 \(20,\)"),
    "x without features": ((X[:, :0], Y), (X_TEST[:, :0], Y_TEST), r"x_train is float32 \(20, 0\)"),
    "x_test wider": ((X, Y), (X_TEST.repeat(1, 2), Y_TEST), r"x_test float32 \(10, 6\)"),
    "x_test of bytes": ((X, Y), (X_TEST.byte(), Y_TEST), r"x_test uint8 \(10, 3\)"),
    "x an array": ((X.numpy(), Y), (X_TEST, Y_TEST), "must be tensors .* not ndarray, int64"),
    "labels as floats": ((X, Y.float()), (X_TEST, Y_TEST.float()), r"y_train is float32 \(20,\); targets must be int64"),
    "labels in a column": ((X, Y[:, None]), (X_TEST, Y_TEST[:, None]), r"y_train is int64 \(20, 1\)"),
    "labels int32": ((X, Y.int()), (X_TEST, Y_TEST.int()), r"y_train is int32 \(20,\)"),
    "y_test of another kind": ((X, Y), (X_TEST, X_TEST), r"y_test is float32 \(10, 3\)"),
    "numbers float64": ((X, X.double()), (X_TEST, X_TEST.double()), r"y_train is float64 \(20, 3\)"),
    "another width of y_test": ((X, X), (X_TEST, X_TEST[:, :2]), "y_test has 2 columns"),
    "label -1": ((X, Y - 1), (X_TEST, Y_TEST), "y_train has classes from -1 to 0; allowed are 0 to 1"),
    "labels from 1": ((X, Y + 1), (X_TEST, Y_TEST + 1), "class 0 has no train row"),
    "a gap": ((X, 10**12 * Y), (X_TEST, Y_TEST * 0), "class 1 has no train row"),
    "a class in test alone": ((X, Y), (X_TEST, Y_TEST + 1), "class 2 has test rows but no train row"),
    "one class": ((X, Y * 0), (X_TEST, Y_TEST * 0), "all train rows are of class 0; at least two"),
    "fewer labels": ((X, Y[:19]), (X_TEST, Y_TEST), "x_train has 20 rows, y_train 19"),
    "no test rows": ((X, Y), (X_TEST[:0], Y_TEST[:0]), "there is no test row"),
    "no train rows": ((X[:0], Y[:0]), (X_TEST, Y_TEST), "there is no train row"),
    "tokens": ((X.int(), Y), (X_TEST.int(), Y_TEST), "vocabulary_size is None"),
}


@pytest.mark.parametrize("protocol", data.PROTOCOLS)
@pytest.mark.parametrize("name", WRONG)
def test_what_a_task_cannot_be_is_refused_by_one_sentence(name, protocol):
    train, test, said = WRONG[name]
    with pytest.raises(InputError, match=f"^Mine: .*{said}") as caught:
        build(train, test, protocol)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [1e308, 1e39, torch.inf, torch.nan])
def test_inputs_that_float32_cannot_hold_are_refused_before_they_are_scaled(value):
    x = X.double().clone()
    x[4, 2] = value
    with pytest.raises(InputError, match="x_train has NaN or infinity in row 4"):
        build((x, Y), (X_TEST.double(), Y_TEST), moments=feature_moments)


def test_inputs_that_scaling_makes_too_large_are_refused():
    x = X.double() * 1e-30
    with pytest.raises(InputError, match="x_test has NaN or infinity"):
        build((x, Y), (X_TEST.double() * 1e30, Y_TEST), moments=feature_moments)


def test_the_file_that_a_task_was_made_of_is_named(tmp_path):
    with pytest.raises(InputError, match=rf"Mine: in '{tmp_path}' there is no test row; at least one is needed"):
        build((X, Y), (X_TEST[:0], Y_TEST[:0]), source=tmp_path)


def test_further_outputs_than_classes_are_allowed_if_they_are_asked_for():
    task = build((X, Y + 1), (X_TEST, Y_TEST + 1), output_size=5)
    assert task.output_size == 5 and set(task.y_train.tolist()) == {1, 2}
    with pytest.raises(InputError, match="y_train has classes from 0 to 1; allowed are 0 to 0"):
        build((X, Y), (X_TEST, Y_TEST), output_size=1)


def test_a_class_whose_one_row_was_held_out_is_no_fault():
    y = Y.clone()
    y[validation_split(X)[1][0]] = 2  # rows held out regardless of their class
    task = build((X, y), (X_TEST, Y_TEST))
    assert task.output_size == 3 and set(task.y_train.tolist()) == {0, 1} and 2 in task.y_valid


def test_moments_of_bytes_must_fit(toy):
    x = torch.randint(256, (20, 3), dtype=torch.uint8)
    pair = {"mean": torch.zeros(3), "std": torch.ones(3)}
    assert build((x, Y), (x[:10], Y_TEST), **pair).inputs(x).max() <= 1
    for wrong in ({"std": torch.ones(2)}, {"std": torch.zeros(3)}, {"mean": torch.zeros(())}, {"mean": None}, {"std": None}):
        with pytest.raises(InputError, match=r"mean and std must have shape \(3,\), and std be above 0"):
            build((x, Y), (x[:10], Y_TEST), **(pair | wrong))


# ----- what every loaded dataset must be


def test_a_task_made_by_hand_is_checked_when_it_is_loaded(own_registries):
    @data.register("By hand", domain="tabular")
    def by_hand(request):
        return Task("By hand", "tabular", "accuracy", 2, NAN, Y, NAN[:0], Y[:0], X_TEST, Y_TEST)

    @data.register("Nothing", domain="tabular")
    def nothing(request):
        pass

    with pytest.raises(InputError, match="By hand: x_train has NaN or infinity in row 3"):
        data.load("By hand")
    with pytest.raises(
        InputError, match="dataset 'Nothing': its loader .*nothing returns a NoneType; it must return a Task, which make_task"
    ):
        data.load("Nothing")


def test_tokens_are_checked(toy):
    task = toy("text")
    assert checked(task) is task
    with pytest.raises(InputError, match="x_train has tokens from -1 to 9; vocabulary_size is 9"):
        checked(replace(task, vocabulary_size=9))
    with pytest.raises(InputError, match="x_test has tokens from -2"):
        checked(replace(task, x_test=task.x_test - 1))


@pytest.mark.parametrize("sizes", ["0_0_0_0", "60_0_7_3", "0_10_7_3", "60_10_0_3", "60_10_7_1", "4_60_7_50"])
def test_stand_ins_of_impossible_sizes_are_refused(sizes):
    with pytest.raises(InputError, match=f"Random_grey_{sizes}[: ]"):
        data.load(f"Random_grey_{sizes}")


def test_the_right_kinds_pass(toy):
    for kind in ("numbers", "classes", "text"):
        for protocol in data.PROTOCOLS:
            assert checked(toy(kind, protocol)).name == f"toy {kind}"
    array = numpy.ones((20, 3), numpy.float32)
    assert build((torch.from_numpy(array), Y), (X_TEST, Y_TEST), "published").x_train.shape == (20, 3)
