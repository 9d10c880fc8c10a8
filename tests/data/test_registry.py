import importlib.util

import numpy
import pytest
import torch
from scipy import special

from kanbefair import data, folders
from kanbefair.data import registry, symbolic
from kanbefair.data.task import Task, feature_moments, make_task, overall_moments, validation_split
from kanbefair.errors import InputError

EMBEDDED = data.names(embedded=True)


# ----- the registry


def test_every_domain_has_embedded_data():
    assert {data.dataset(name).domain for name in EMBEDDED} == set(data.DOMAINS)


def test_the_papers_datasets_are_named():
    named = {domain: set(data.names(domain, embedded=False)) for domain in data.DOMAINS}
    assert {"MNIST", "EMNIST-Balanced", "EMNIST-Letters", "FMNIST", "KMNIST", "Cifar10", "Cifar100", "SVHN"} <= named["vision"]
    assert {"Income", "Spam", "Telescope", "Wine", "Bank", "Card", "Rice", "Bean", "Student", "Titanic"} <= named["tabular"]
    assert {"AG_NEWS", "CoLA", "IMDb"} <= named["text"]
    assert {"SpeechCommand", "UrbanSound8K"} <= named["audio"]


@pytest.mark.parametrize("protocol", data.PROTOCOLS)
@pytest.mark.parametrize("name", EMBEDDED)
def test_every_embedded_dataset_loads_offline(name, protocol, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.delenv("KANBEFAIR_DATA", raising=False)
    task = data.load(name, protocol=protocol)
    assert task.domain == data.dataset(name).domain
    assert task.parts == (["train", "valid", "test"] if protocol == "fair" else ["train", "test"])
    for part in task.parts:
        x, y = task.part(part)
        assert len(x) == len(y) > 20
        assert task.inputs(x[:5]).dtype == (torch.int32 if task.vocabulary_size else torch.float32)
        assert x.isfinite().all()
        if task.metric == "accuracy":
            assert y.dtype == torch.int64
            assert set(y.tolist()) <= set(range(task.output_size))
        else:
            assert y.shape == (len(x), task.output_size)
            assert y.isfinite().all()


@pytest.mark.parametrize("name", EMBEDDED)
def test_fair_data_is_the_same_for_every_seed(name):
    first, second = data.load(name, seed=1), data.load(name, seed=2)
    for part in first.parts:
        assert all(torch.equal(a, b) for a, b in zip(first.part(part), second.part(part), strict=True))


@pytest.mark.parametrize("division", [-1, 2**32, 1.0, "1", True, None])
def test_what_is_no_division_is_refused(division):
    with pytest.raises(InputError, match=r"^division is .*; it must be a whole number from 0 to 4,294,967,295$"):
        data.load("BreastCancer", division=division)


@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_random_images_look_to_a_network_as_real_ones_do(kind):
    task = data.load(f"Random_{kind}_300_100_50_10")
    assert task.parts == ["train", "test"] and set(task.y_train.tolist()) == set(range(10))
    assert task.x_train.dtype == (torch.uint8 if kind == "colour" else torch.float32)
    pixels = task.inputs(task.x_train)
    assert pixels.shape == (300, 50) and pixels.dtype == torch.float32
    assert pixels.mean().abs() < 0.05 and pixels.std() == pytest.approx(1, abs=0.05)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"unknown dataset 'MINST'; did you mean 'MNIST'\? known: .*FMNIST"):
        data.load("MINST")
    with pytest.raises(InputError, match=r"unknown protocol 'fare'; did you mean 'fair'"):
        data.load("Digits", protocol="fare")
    with pytest.raises(InputError, match="unknown domain 'visio'; did you mean 'vision'"):
        data.register("X", domain="visio")


@pytest.mark.parametrize("named_by", ["argument", "environment"])
def test_a_data_folder_that_does_not_exist_is_refused(named_by, tmp_path, monkeypatch):
    missing = tmp_path / "nowhere"
    monkeypatch.setenv("KANBEFAIR_DATA", str(missing if named_by == "environment" else tmp_path))
    with pytest.raises(InputError, match="nowhere' does not exist; create it or name another"):
        data.load("Digits", missing if named_by == "argument" else None)


def test_where_data_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("KANBEFAIR_DATA", raising=False)
    monkeypatch.delenv("KANBEFAIR_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert folders.data_folder() == tmp_path / "kanbefair"
    monkeypatch.setenv("KANBEFAIR_DATA", str(tmp_path))
    assert folders.data_folder() == tmp_path.resolve()
    assert folders.data_folder("/") == (tmp_path / "/").resolve()


def test_a_dataset_of_ones_own(own_registries, toy):
    @data.register("Mine", domain="tabular")
    def mine(request: registry.Request) -> Task:
        return toy("classes", request.protocol)

    assert "Mine" in data.names("tabular")
    assert "Mine" not in data.names(embedded=True)
    assert data.load("Mine").name == "toy classes"


def test_a_dataset_of_ones_own_may_be_registered_again(own_registries, toy):
    for kind in ("classes", "numbers"):

        @data.register("Mine", "Also mine", domain="tabular")
        def mine(request, kind=kind):
            return toy(kind, request.protocol)

    assert data.load("Mine").name == data.load("Also mine").name == "toy numbers"


@pytest.mark.parametrize("name", ["Digits", "MNIST", "Special_jv", "MNIST_PCA_20", "Random_grey_10_10_4_2"])
def test_a_dataset_of_the_package_is_not_replaced(name, own_registries, toy):
    before = data.dataset(name).loader
    with pytest.raises(InputError, match=rf"^dataset '{name}' comes with kanbefair and is not replaced; register yours under"):
        data.register("Mine", name, domain="tabular")(lambda request: toy("classes", request.protocol))
    with pytest.raises(InputError, match="is not replaced"):
        data.register(name, domain="tabular")(before)
    assert data.dataset(name).loader is before and "Mine" not in data.names()


def test_a_module_of_the_package_may_be_loaded_again(own_registries):
    before = data.dataset("Digits").loader
    spec = importlib.util.find_spec("kanbefair.data.vision")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert data.dataset("Digits").loader is not before


def test_a_family_of_ones_own_hides_no_dataset(own_registries, toy):
    data.register("All", domain="tabular", pattern=".*")(lambda request: toy("classes", request.protocol))
    assert data.load("Digits").name == "Digits" and data.load("Whatever").name == "toy classes"


@pytest.mark.parametrize("name", [5, None, ("a", "b"), "", "a/b", "..", "a\\b", "a\nb", "a:b", "what?", " a", "a."])
def test_a_name_must_do_as_part_of_a_files_name(name, own_registries):
    with pytest.raises(InputError, match="cannot be registered; its name must be a text without any of / ") as caught:
        data.register(name, domain="tabular")(lambda request: None)
    assert "\n" not in str(caught.value)


def test_a_registration_that_cannot_be_is_refused(own_registries):
    with pytest.raises(InputError, match="registered without a name"):
        data.register(domain="tabular")
    with pytest.raises(InputError, match=r"pattern '\(' is no regular expression \(missing"):
        data.register("Mine", domain="tabular", pattern="(")


def test_a_protocol_in_the_place_of_the_data_folder_is_told():
    with pytest.raises(InputError, match=r"^data folder 'fair' does not exist; did you mean protocol='fair'\?$"):
        data.load("Digits", "fair")


def test_a_loader_that_is_wrong_is_named(own_registries):
    @data.register("Mine", domain="tabular")
    def mine(request):
        return 1 / 0

    with pytest.raises(
        InputError, match=r"^dataset 'Mine': its loader .*mine fails \(ZeroDivisionError: division by zero\); mend"
    ):
        data.load("Mine")

    @data.register("Mine", domain="tabular")
    def also_mine(request):
        return torch.zeros(3), torch.zeros(3)

    with pytest.raises(
        InputError, match=r"^dataset 'Mine': its loader .*also_mine returns a tuple; it must return a Task, which"
    ):
        data.load("Mine")

    @data.register("Mine", domain="tabular")
    def honest(request):
        raise InputError("own sentence")

    with pytest.raises(InputError, match="^own sentence$"):
        data.load("Mine")


# ----- Task and make_task


def rows(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 3, generator=generator) * 5 + 2
    return x, torch.arange(count) % 3


def split_parts(task):
    return {part: task.part(part) for part in ("train", "valid", "test")}


@pytest.mark.parametrize("moments", [feature_moments, overall_moments])
def test_the_scaler_sees_only_the_rows_that_are_trained_on(moments):
    (x, y), (x_test, y_test) = rows(50), rows(20, seed=1)
    fit, valid = validation_split(y)
    before = make_task("t", "tabular", "fair", (x, y), (x_test, y_test), moments=moments)
    changed = x.clone()
    changed[valid] = changed[valid] * 100 + 7
    after = make_task("t", "tabular", "fair", (changed, y), (x_test * 100 - 3, y_test), moments=moments)
    assert torch.equal(before.x_train, after.x_train)
    assert not torch.equal(before.x_valid, after.x_valid)
    assert not torch.equal(before.x_test, after.x_test)
    mean, std = moments(x[fit].double())
    torch.testing.assert_close(before.x_train, ((x[fit] - mean) / std).float())
    torch.testing.assert_close(after.x_test, ((x_test * 100 - 3 - mean) / std).float())


def test_published_scales_by_all_training_rows_and_holds_none_out():
    (x, y), test = rows(50), rows(20, seed=1)
    task = make_task("t", "tabular", "published", (x, y), test, moments=feature_moments)
    assert task.parts == ["train", "test"]
    torch.testing.assert_close(task.x_train, ((x - x.mean(0)) / x.std(0, correction=0)).float())
    assert torch.equal(task.y_train, y)


@pytest.mark.parametrize("y", [torch.arange(100) % 4, torch.randn(100, 2), torch.tensor([0] * 99 + [1])])
def test_fit_and_validation_rows_are_disjoint_and_are_all(y):
    fit, valid = validation_split(y)
    assert sorted([*fit.tolist(), *valid.tolist()]) == list(range(100))
    assert len(valid) == 20
    again = validation_split(y)
    assert torch.equal(fit, again[0])
    assert torch.equal(valid, again[1])


def test_validation_holds_out_classes_in_proportion():
    y = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    _, valid = validation_split(y)
    assert torch.bincount(y[valid]).tolist() == [12, 6, 2]


def test_validation_rows_are_not_trained_on():
    x = torch.arange(100.0)[:, None].repeat(1, 2)
    task = make_task("t", "tabular", "fair", (x, torch.arange(100) % 2), (x + 1000, torch.arange(100) % 2))
    train, valid, test = (set(task.part(part)[0][:, 0].tolist()) for part in ("train", "valid", "test"))
    assert not train & valid
    assert train | valid == set(range(100))
    assert not test & (train | valid)


def test_constant_columns_stay_finite():
    x, y = rows(30)
    x[:, 1] = 4.0
    task = make_task("t", "tabular", "fair", (x, y), (x, y), moments=feature_moments)
    assert task.x_train.isfinite().all()
    assert (task.x_train[:, 1] == 0).all()


def test_bytes_are_scaled_when_used():
    x = torch.tensor([[0, 255], [51, 102]], dtype=torch.uint8)
    y = torch.tensor([0, 1])
    empty = (x[:0], y[:0])
    task = Task("t", "vision", "accuracy", 2, x, y, *empty, x, y, mean=torch.tensor([0.5, 0.0]), std=torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(task.inputs(x), torch.tensor([[-1.0, 1.0], [-0.6, 0.4]]))


def test_texts_are_cut_to_the_longest_of_the_batch(toy):
    task = toy("text")
    short = torch.tensor([[4, -1, -1, -1], [3, 2, -1, -1]], dtype=torch.int32)
    assert torch.equal(task.inputs(short), short[:, :2])
    assert task.inputs(torch.full((2, 4), -1, dtype=torch.int32)).shape == (2, 1)
    assert task.input_size == 10


def test_a_task_moves_as_a_whole(toy):
    moved = toy().to("meta")
    assert all(tensor.device.type == "meta" for part in ("train", "valid", "test") for tensor in moved.part(part))
    assert moved.name == toy().name


# ----- symbolic functions


@pytest.mark.parametrize("name", list(symbolic.PLANE))
def test_published_functions_are_drawn_as_the_paper_draws_them(name):
    stream = numpy.random.RandomState(77)
    train, test = stream.rand(1000, 2), stream.rand(1000, 2)
    task = data.load(name, protocol="published", seed=77)
    assert torch.equal(task.x_train, torch.from_numpy(train).float())
    assert torch.equal(task.x_test, torch.from_numpy(test).float())
    assert len(task.x_valid) == 0


U = numpy.array([[0.3, 0.6], [0.8, 0.2]])
U0, U1 = U.T


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Special_ellipkinc", special.ellipkinc(U0, U1)),
        ("Special_ellipeinc", special.ellipeinc(U0, U1)),
        # derivatives by their recurrences: 2C' = C(v-1) - C(v+1); 2K' = -K(v-1) - K(v+1); 2I' = I(v-1) + I(v+1)
        ("Special_jv", (special.jv(U0 - 1, U1) - special.jv(U0 + 1, U1)) / 2),
        ("Special_yv", (special.yv(U0 - 1, U1) - special.yv(U0 + 1, U1)) / 2),
        ("Special_kv", -(special.kv(U0 - 1, U1) + special.kv(U0 + 1, U1)) / 2),
        ("Special_iv", (special.iv(U0 - 1, U1) + special.iv(U0 + 1, U1)) / 2),
        ("Special_yv_bounded", (special.yv(U0 - 1, U1 + 0.5) - special.yv(U0 + 1, U1 + 0.5)) / 2),
        ("Special_kv_bounded", -(special.kv(U0 - 1, U1 + 0.5) + special.kv(U0 + 1, U1 + 0.5)) / 2),
        ("Special_lpmv0", special.lpmv(0, U0, U1)),
        ("Special_lpmv1", special.lpmv(1, U0, U1)),
        ("Special_lpmv2", special.lpmv(2, U0, U1)),
        ("Special_sphharm01", numpy.sqrt(3 / (4 * numpy.pi)) * numpy.cos(U1)),
        ("Special_sphharm02", numpy.sqrt(5 / (16 * numpy.pi)) * (3 * numpy.cos(U1) ** 2 - 1)),
    ],
)
def test_functions_of_two_variables(name, expected):
    numpy.testing.assert_allclose(symbolic.PLANE[name](U0, U1), expected, rtol=1e-10)


def test_functions_of_one_variable():
    x = numpy.array([-2.0, 0.5, 3.0])
    gelu = torch.nn.functional.gelu(torch.from_numpy(x)).numpy()
    numpy.testing.assert_allclose(symbolic.LINE["Special_1d_gelu"](x), gelu, rtol=1e-10)
    poisson = [4 / 2, 2**4.5 / special.gamma(5.5), 128 / 5040]
    numpy.testing.assert_allclose(symbolic.LINE["Special_1d_poisson"](x), poisson, rtol=1e-10)


@pytest.mark.parametrize("name", [*symbolic.PLANE, *symbolic.LINE])
def test_targets_are_the_function_of_the_inputs(name):
    task = data.load(name)
    function = (symbolic.PLANE | symbolic.LINE)[name]
    x = task.x_test.double().numpy()
    smooth = numpy.abs(x).min(axis=1) > 0.05
    expected = function(*x[smooth].T)
    numpy.testing.assert_allclose(task.y_test[smooth, 0].numpy(), expected, rtol=2e-4, atol=1e-5)


def test_the_parts_of_a_function_share_no_points():
    task = data.load("Special_jv")
    points = [{tuple(row) for row in task.part(part)[0].tolist()} for part in task.parts]
    assert [len(part) for part in points] == [1000, 1000, 1000]
    assert not points[0] & points[1]
    assert not points[0] & points[2]
    assert not points[1] & points[2]


@pytest.mark.parametrize("name", ["Special_yv_bounded", "Special_kv_bounded"])
def test_the_bounded_variants_are_bounded(name):
    wild, tame = data.load(name.removesuffix("_bounded")), data.load(name)
    assert tame.y_test.abs().max() < 15
    assert wild.y_test.abs().max() > 100
