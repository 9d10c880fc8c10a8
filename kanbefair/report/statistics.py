"""From runs to answers: envelopes, differences at matched budgets, intervals, verdicts.

A *try* is one configuration. Under the `fair` protocol a model is chosen by its best validation metric among the tries
that fit a budget, seed by seed, and scored by that run's test metric at that epoch. Under `published`, which has no
validation part, choice and score are both the last epoch's test metric, as the paper's figures have it.

A *gain* is KAN over MLP and positive where KAN is better: percentage points of accuracy, or log10 of the ratio of errors.
"""

import numpy
import pandas
from scipy.stats import ttest_1samp

BUDGETS = ("parameters", "flops")
BUDGET_POINTS = 25
CONFIDENCE = 0.95
TIE = 1e-4
"""Points of accuracy, at most, by which the loss tells equal accuracies apart."""
DATASETS_TO_GENERALISE = 5
"""From so many datasets on, the interval is over datasets (seeds averaged); below, over seeds (datasets averaged)."""


def scored(runs: pandas.DataFrame) -> pandas.DataFrame:
    """The runs with two more columns: `choice`, which tries are chosen by, and `score`, which is reported.

    Of both, higher is better for accuracy and lower for errors. Diverged runs have neither. Small validation parts give many
    equal accuracies: the lower validation loss is then the better choice, for which it takes part in `choice` with less than
    any step of accuracy.
    """
    if not (runs["protocol"] == "fair").all():
        return runs.assign(choice=runs["test_metric_last"], score=runs["test_metric_last"])
    choice = runs["valid_metric_selected"]
    if "valid_loss_selected" in runs:
        loss = runs["valid_loss_selected"].where(runs["metric"] == "accuracy")
        choice = choice - (TIE * loss / (1 + loss)).fillna(0)
    return runs.assign(choice=choice, score=runs["test_metric_selected"])


def envelope(runs: pandas.DataFrame, budget: str) -> pandas.DataFrame:
    """The best choice within every budget, per dataset, model and seed.

    Returns rows (dataset, model, seed, metric, budget, score): from that budget on the score holds, up to the next row.
    """
    group = ["dataset", "model", "seed", "metric"]
    ranked = scored(runs).dropna(subset="choice").sort_values([*group, budget, "key"], ignore_index=True)
    ranked["choice"] = ranked["choice"].astype(float)
    value = ranked["choice"].where(ranked["metric"] == "accuracy", -ranked["choice"])
    keys = [ranked[name] for name in group]
    before = value.groupby(keys).cummax().groupby(keys).shift(fill_value=-numpy.inf)
    best = ranked[value > before].rename(columns={budget: "budget"})
    return best[["budget", "score", "key", *group]].reset_index(drop=True)


def at(steps: pandas.DataFrame, budgets: numpy.ndarray) -> numpy.ndarray:
    """The score of one envelope (one dataset, model and seed) at each of `budgets`; NaN below its first."""
    if steps.empty:
        return numpy.full(len(budgets), numpy.nan)
    where = numpy.searchsorted(steps["budget"].to_numpy(), budgets, side="right") - 1
    return numpy.where(where < 0, numpy.nan, steps["score"].to_numpy()[where])


def common_budgets(steps: pandas.DataFrame, models: tuple[str, str] = ("KAN", "MLP")) -> numpy.ndarray:
    """Budgets, evenly spaced in the logarithm, from where both models have a first network to the smaller of their
    largest; `steps` are the envelopes of one dataset."""
    own = [steps.loc[steps["model"] == model, "budget"] for model in models]
    low, high = max(budget.min() for budget in own), min(budget.max() for budget in own)
    return numpy.geomspace(low, max(low, high), BUDGET_POINTS)


def gains(runs: pandas.DataFrame, budget: str, models: tuple[str, str] = ("KAN", "MLP")) -> pandas.DataFrame:
    """Mean gain of the first model over the second across the common budgets, per dataset and seed.

    Returns rows (dataset, seed, metric, low, high, gain), `low` and `high` being the ends of the common budgets.
    """
    all_steps = envelope(runs, budget)
    rows = []
    for dataset, steps in all_steps.groupby("dataset"):
        # the range is that of all runs, so that it does not depend on which try a seed happens to choose
        sizes = runs[runs["dataset"] == dataset].rename(columns={budget: "budget"})[["model", "budget"]]
        budgets = common_budgets(sizes, models)
        for (seed, metric), group in steps.groupby(["seed", "metric"]):
            first, second = (at(group[group["model"] == model], budgets) for model in models)
            gain = first - second if metric == "accuracy" else numpy.log10(second / first)
            rows.append((dataset, seed, metric, budgets[0], budgets[-1], pandas.Series(gain).mean()))
    return pandas.DataFrame(rows, columns=["dataset", "seed", "metric", "low", "high", "gain"])


def interval(values: numpy.ndarray) -> tuple[float, float, float]:
    """Mean of independent values and its 95 % confidence interval (Student's t); the ends are infinite for one value."""
    values = numpy.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, -numpy.inf, numpy.inf
    if numpy.ptp(values) == 0:
        return mean, mean, mean
    ends = ttest_1samp(values, 0).confidence_interval(CONFIDENCE)
    return mean, float(ends.low), float(ends.high)


def verdict(
    runs: pandas.DataFrame, domain: str, unit: str | None = None, budgets: tuple[str, ...] = BUDGETS
) -> pandas.DataFrame:
    """One row per budget (a column of `runs`): the gain of KAN over MLP with its interval, and who is ahead: the model on whose
    side the whole interval lies, else "tie". The interval is over `unit`, "dataset" or "seed" (None: see
    `DATASETS_TO_GENERALISE`). `names` are the datasets, with spaces between."""
    rows = []
    for budget in budgets:
        table = gains(runs, budget)
        over = unit or ("dataset" if table["dataset"].nunique() >= DATASETS_TO_GENERALISE else "seed")
        units = table.groupby(over)["gain"].mean().dropna()
        gain, low, high = interval(units)
        winner = "KAN" if low > 0 else "MLP" if high < 0 else "tie"
        rows.append(
            {
                "domain": domain,
                "metric": table["metric"].iloc[0],
                "budget": budget,
                "gain": gain,
                "low": low,
                "high": high,
                "winner": winner,
                "interval_over": over,
                "units": len(units),
                "names": " ".join(table["dataset"].unique()),
                "datasets": table["dataset"].nunique(),
                "seeds": table["seed"].nunique(),
                "tries_KAN": _tries(runs, "KAN"),
                "tries_MLP": _tries(runs, "MLP"),
                "budget_low": table["low"].min(),
                "budget_high": table["high"].max(),
            }
        )
    return pandas.DataFrame(rows)


def _tries(runs: pandas.DataFrame, model: str) -> int:
    """Tries of a model per dataset and seed."""
    own = runs[runs["model"] == model]
    return round(len(own) / max(1, len(own[["dataset", "seed"]].drop_duplicates())))


def matched(runs: pandas.DataFrame, points: int = 4) -> pandas.DataFrame:
    """The best of each model at a few matched budgets: per dataset, budget kind and budget the mean score over seeds with
    its interval, and the gain of KAN over MLP with its interval."""
    rows = []
    for budget in BUDGETS:
        steps = envelope(runs, budget)
        for dataset, group in steps.groupby("dataset"):
            sizes = runs[runs["dataset"] == dataset].rename(columns={budget: "budget"})[["model", "budget"]]
            ends = common_budgets(sizes)
            budgets = numpy.geomspace(ends[0], ends[-1], points)
            metric = group["metric"].iloc[0]
            scores = {
                model: numpy.array([at(own, budgets) for _, own in group[group["model"] == model].groupby("seed")])
                for model in ("KAN", "MLP")
            }
            for i, value in enumerate(budgets):
                row = {"dataset": dataset, "metric": metric, "budget": budget, "at": value}
                for model, score in scores.items():
                    row[model], row[f"{model}_low"], row[f"{model}_high"] = interval(score[:, i])
                first, second = scores["KAN"][:, i], scores["MLP"][:, i]
                gain = first - second if metric == "accuracy" else numpy.log10(second / first)
                row["gain"], row["gain_low"], row["gain_high"] = interval(gain)
                rows.append(row)
    return pandas.DataFrame(rows)


def best(runs: pandas.DataFrame) -> pandas.DataFrame:
    """What each model reaches whatever its size: per dataset and seed the score of its best choice, then the mean over
    datasets (errors: geometric mean). Returns one row (model, metric, score, low, high) with an interval over seeds."""
    table = scored(runs).dropna(subset="choice")
    rows = []
    for (model, metric), own in table.groupby(["model", "metric"]):
        groups = own.groupby(["dataset", "seed"])["choice"]
        chosen = own.loc[groups.idxmax() if metric == "accuracy" else groups.idxmin()]
        accuracy = metric == "accuracy"
        values = chosen["score"] if accuracy else numpy.log10(chosen["score"])
        summary = interval(values.groupby(chosen["seed"]).mean())
        rows.append((model, metric, *(summary if accuracy else (10**value for value in summary))))
    return pandas.DataFrame(rows, columns=["model", "metric", "score", "low", "high"])


def beside_published(ours: pandas.DataFrame, headline: pandas.DataFrame) -> pandas.DataFrame:
    """The rows of `best` (with a column `domain`) and the paper's headline bars in one table with a column `source`."""
    theirs = headline.melt(["domain", "metric"], ["KAN", "MLP"], "model", "score").assign(source="paper")
    theirs["low"] = theirs["high"] = theirs["score"]
    columns = ["domain", "source", "model", "metric", "score", "low", "high"]
    both = pandas.concat([theirs, ours.assign(source="here")])[columns]
    order = {domain: number for number, domain in enumerate(headline["domain"])}
    return both.sort_values("domain", key=lambda names: names.map(order), kind="stable", ignore_index=True)
