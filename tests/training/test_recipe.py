import json
import math
from dataclasses import asdict, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.runs.run import _ASIDE
from explorer.training.recipe import OPTIONS, PRESETS, WORDS, Recipe, RecipeError, preset

# A busy machine is slow, not wrong.
property_test = settings(deadline=None)

ONE_CYCLE = Recipe(learning_rate=0.5, schedule="one-cycle")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"optimiser": "adam"}, "optimiser must be one of sgd, nesterov, adamw, not 'adam'."),
        ({"optimiser": None}, "optimiser must be one of sgd, nesterov, adamw, not None."),
        ({"learning_rate": 0}, "learning_rate must be a number from 1e-09 to 10, not 0."),
        ({"learning_rate": -0.1}, "learning_rate must be a number from 1e-09 to 10, not -0.1."),
        ({"learning_rate": 10.5}, "learning_rate must be a number from 1e-09 to 10, not 10.5."),
        ({"learning_rate": math.nan}, "learning_rate must be a number from 1e-09 to 10, not nan."),
        ({"learning_rate": math.inf}, "learning_rate must be a number from 1e-09 to 10, not inf."),
        ({"learning_rate": "fast"}, "learning_rate must be a number from 1e-09 to 10, not 'fast'."),
        ({"learning_rate": True}, "learning_rate must be a number from 1e-09 to 10, not True."),
        ({"momentum": 1.0}, "momentum must be a number from 0 to 0.999, not 1.0."),
        ({"momentum": -0.1}, "momentum must be a number from 0 to 0.999, not -0.1."),
        ({"momentum": math.nan}, "momentum must be a number from 0 to 0.999, not nan."),
        (
            {"optimiser": "nesterov", "momentum": 0.0},
            "momentum must be above 0 for the nesterov optimiser, not 0.0.",
        ),
        ({"weight_decay": -1e-9}, "weight_decay must be a number from 0 to 1, not -1e-09."),
        ({"weight_decay": 1.5}, "weight_decay must be a number from 0 to 1, not 1.5."),
        ({"weight_decay": math.nan}, "weight_decay must be a number from 0 to 1, not nan."),
        ({"schedule": "cosine"}, "schedule must be one of constant, one-cycle, not 'cosine'."),
        ({"precision": "fp16"}, "precision must be one of float32, tf32, bfloat16, not 'fp16'."),
        ({"batch_size": 0}, "batch_size must be a whole number from 1 to 10,000, not 0."),
        ({"batch_size": 10_001}, "batch_size must be a whole number from 1 to 10,000, not 10001."),
        ({"batch_size": 64.5}, "batch_size must be a whole number from 1 to 10,000, not 64.5."),
        ({"batch_size": True}, "batch_size must be a whole number from 1 to 10,000, not True."),
        ({"epochs": 0}, "epochs must be a whole number from 1 to 1,000, not 0."),
        ({"epochs": 1_001}, "epochs must be a whole number from 1 to 1,000, not 1001."),
        ({"epochs": 1.5}, "epochs must be a whole number from 1 to 1,000, not 1.5."),
        ({"seed": -1}, "seed must be a whole number from 0 to 2,147,483,647, not -1."),
        ({"seed": 2**31}, "seed must be a whole number from 0 to 2,147,483,647, not 2147483648."),
        (
            {"train_size": 0},
            "train_size must be a whole number from 1 to 10,000,000, or none, not 0.",
        ),
        (
            {"train_size": 0.5},
            "train_size must be a whole number from 1 to 10,000,000, or none, not 0.5.",
        ),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_with_a_sentence(values, sentence):
    with pytest.raises(RecipeError) as refusal:
        Recipe(**values)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    "values",
    [
        {"learning_rate": 10},
        {"learning_rate": 1e-9},
        {"momentum": 0},
        {"momentum": 0.999},
        {"weight_decay": 1},
        {"batch_size": 1},
        {"batch_size": 10_000},
        {"epochs": 1},
        {"epochs": 1_000},
        {"seed": 0},
        {"seed": 2**31 - 1},
        {"train_size": 1},
        {"optimiser": "adamw", "momentum": 0},
    ],
)
def test_the_ends_of_each_range_are_allowed(values):
    recipe = Recipe(**values)
    assert {name: getattr(recipe, name) for name in values} == values


def test_the_tutorial_preset_is_the_tutorial_s():
    assert preset("tutorial") == Recipe(
        optimiser="sgd",
        learning_rate=0.01,
        momentum=0.5,
        weight_decay=0.0,
        schedule="constant",
        batch_size=64,
        epochs=10,
        seed=0,
        train_size=None,
        gradients_every=50,
        score_every=100,
    )


def test_the_fast_preset_is_adamw_on_one_cycle_for_one_epoch():
    fast = preset("fast")
    assert (fast.optimiser, fast.schedule, fast.batch_size, fast.epochs) == (
        "adamw",
        "one-cycle",
        64,
        1,
    )


def test_there_are_two_presets_and_both_look_at_every_image():
    assert list(PRESETS) == ["tutorial", "fast"]
    assert [recipe.train_size for recipe in PRESETS.values()] == [None, None]


def test_an_unknown_preset_is_refused_with_those_there_are():
    with pytest.raises(RecipeError) as refusal:
        preset("slow")
    assert str(refusal.value) == "There is no recipe 'slow'; choose tutorial or fast."


@property_test
@given(step=st.integers(0, 10**6), steps=st.integers(1, 10**6), rate=st.floats(1e-6, 10))
def test_a_constant_schedule_keeps_the_learning_rate(step, steps, rate):
    assert Recipe(learning_rate=rate).learning_rate_at(step, steps) == rate


@property_test
@given(steps=st.integers(1, 100_000), rate=st.floats(1e-6, 10))
def test_one_cycle_starts_at_a_25th_of_the_peak(steps, rate):
    recipe = ONE_CYCLE.changed(learning_rate=rate)
    assert recipe.learning_rate_at(0, steps) == pytest.approx(rate / 25)


@property_test
@given(tens=st.integers(1, 10_000))
def test_one_cycle_peaks_after_three_tenths_of_the_steps(tens):
    assert ONE_CYCLE.learning_rate_at(3 * tens, 10 * tens) == pytest.approx(0.5)


@property_test
@given(steps=st.integers(2, 100_000))
def test_one_cycle_ends_at_almost_nothing(steps):
    assert ONE_CYCLE.learning_rate_at(steps - 1, steps) == pytest.approx(0.5 / 250_000)


@property_test
@given(steps=st.integers(1, 400))
def test_one_cycle_rises_to_the_peak_and_then_falls_and_is_never_above_it(steps):
    rates = [ONE_CYCLE.learning_rate_at(step, steps) for step in range(steps)]
    top = rates.index(max(rates))
    assert all(0 < rate <= 0.5 for rate in rates)
    assert rates == sorted(rates[:top]) + sorted(rates[top:], reverse=True)
    # The peak is at 0.3 · steps; the step nearest to it is the highest.
    assert abs(top - 0.3 * steps) <= 1


@property_test
@given(step=st.integers(0, 999))
def test_one_cycle_scales_with_the_peak(step):
    double = ONE_CYCLE.changed(learning_rate=1.0)
    assert double.learning_rate_at(step, 1000) == pytest.approx(
        2 * ONE_CYCLE.learning_rate_at(step, 1000)
    )


@st.composite
def recipes(draw):
    optimiser = draw(st.sampled_from(["sgd", "nesterov", "adamw"]))
    return Recipe(
        optimiser=optimiser,
        learning_rate=draw(st.floats(1e-9, 10)),
        momentum=draw(st.floats(0.01 if optimiser == "nesterov" else 0, 0.99)),
        weight_decay=draw(st.floats(0, 1)),
        schedule=draw(st.sampled_from(["constant", "one-cycle"])),
        batch_size=draw(st.integers(1, 10_000)),
        epochs=draw(st.integers(1, 1_000)),
        seed=draw(st.integers(0, 2**31 - 1)),
        train_size=draw(st.none() | st.integers(1, 10_000_000)),
        gradients_every=draw(st.none() | st.integers(1, 1_000)),
        precision=draw(st.sampled_from(["float32", "tf32", "bfloat16"])),
        augment=draw(st.sampled_from(["none", "shift", "shift+flip"])),
        label_smoothing=draw(st.floats(0, 0.9)),
        clip_norm=draw(st.none() | st.floats(1e-6, 1e6)),
        score_every=draw(st.none() | st.integers(1, 1_000)),
    )


@property_test
@given(recipes())
def test_a_recipe_survives_json(recipe):
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_json_holds_every_field():
    later = {"augment": "shift", "label_smoothing": 0.1, "clip_norm": 1.0, "score_every": 9}
    recipe = Recipe(gradients_every=20, precision="bfloat16", **later)
    assert set(recipe.to_json()) == {field.name for field in fields(Recipe)}


def test_a_recipe_reads_as_it_did_before_there_were_gradients_and_precisions_to_choose():
    later = {"gradients_every", "precision", "augment", "label_smoothing", "clip_norm"}
    assert not {*later, "score_every"} & set(Recipe().to_json())
    assert Recipe.from_json(Recipe().to_json()) == Recipe()


def test_json_with_unknown_keys_is_refused_and_the_keys_are_named():
    with pytest.raises(RecipeError) as refusal:
        Recipe.from_json({**Recipe().to_json(), "warmup": 5})
    assert str(refusal.value).startswith("A recipe has no warmup; there are optimiser, ")


def test_json_with_a_value_out_of_range_is_refused():
    with pytest.raises(RecipeError, match="epochs must be"):
        Recipe.from_json({**Recipe().to_json(), "epochs": 0})


def test_changing_replaces_what_is_given_and_nothing_else():
    changed = preset("fast").changed(epochs=3, batch_size=32, score_every=None)
    changes = {"epochs": 3, "batch_size": 32, "score_every": None}
    assert asdict(changed) == {**asdict(preset("fast")), **changes}


def test_changing_to_what_cannot_be_is_refused():
    with pytest.raises(RecipeError, match="epochs must be"):
        preset("tutorial").changed(epochs=0)
    with pytest.raises(RecipeError, match=r"^A recipe has no epoch; did you mean 'epochs'\?$"):
        preset("tutorial").changed(epoch=3)


def test_changing_leaves_the_recipe_itself_alone():
    recipe = preset("tutorial")
    recipe.changed(epochs=3)
    assert recipe.epochs == 10


def test_every_field_is_declared_with_its_help_and_every_number_with_its_range():
    assert [option.name for option in OPTIONS] == [field.name for field in fields(Recipe)]
    assert all(option.help.endswith(".") for option in OPTIONS)
    assert all(option.range for option in OPTIONS if option.type in (int, float))


@property_test
@given(recipes(), st.sampled_from(OPTIONS))
def test_what_a_recipe_has_is_read_back_from_its_text(recipe, option):
    value = getattr(recipe, option.name)
    assert option.parse(str(value)) == value


def test_each_field_that_tells_recipes_apart_has_words():
    assert set(WORDS) == {field.name for field in fields(Recipe)} - set(_ASIDE)
