"""What the accuracy matrix of a stream says: average, transfer, forgetting."""

import numpy


def summary(matrix: numpy.ndarray, metric: str) -> dict[str, float]:
    """What an accuracy matrix R says; R[t, i] is the metric on task i after training on tasks 0 … t, shape (T, T).

    - `average`: mean over i of R[T−1, i].
    - `learned`: mean over i of R[i, i], how well each task is known when it has just been trained on.
    - `backward`: backward transfer, Σ_{i<T−1} (R[T−1, i] − R[i, i]) / (T−1) (Lopez-Paz and Ranzato, arXiv 1706.08840);
      `backward_paper`: the same sum over T, as the paper has it.
    - `forgetting`: mean over i < T−1 of max_{t<T−1} R[t, i] − R[T−1, i] (Chaudhry et al., arXiv 1801.10112).

    For errors (metric "mae") the signs of transfer and forgetting are turned, so that forgetting is bad when positive
    in either case.
    """
    r = numpy.asarray(matrix, dtype=float)
    tasks = len(r)
    sign = 1.0 if metric == "accuracy" else -1.0
    scores = sign * r
    last = scores[-1]
    lost = (last - numpy.diag(scores))[:-1].sum()
    return {
        "average": r[-1].mean(),
        "learned": numpy.diag(r).mean(),
        "backward": lost / (tasks - 1),
        "backward_paper": lost / tasks,
        "forgetting": (scores[:-1, :-1].max(0) - last[:-1]).mean(),
    }
