import math

import torch

from kanbefair.training import best_epoch


def test_the_best_epoch_is_the_first_of_equals_and_never_one_without_a_metric():
    state = torch.zeros(4, 1)
    best = best_epoch.Best("test", 4, [state])
    metrics = [[math.nan, 70, 80, math.nan], [90, 80, 80, math.nan], [90, 80, math.nan, math.nan]]
    losses = [[math.nan, 0.5, 0.4, math.nan], [0.3, 0.6, 0.4, math.nan], [0.3, 0.5, math.nan, math.nan]]
    for epoch, (metric, loss) in enumerate(zip(metrics, losses, strict=True), start=1):
        state.fill_(epoch)
        best.see(epoch, {"test_metric": torch.tensor(metric).double(), "test_loss": torch.tensor(loss).double()})
    assert best.epoch.tolist() == [2, 3, 1, 0]
    with best.restored():
        assert state.squeeze(1).tolist() == [2, 3, 1, 0]
    assert state.squeeze(1).tolist() == [3, 3, 3, 3]
