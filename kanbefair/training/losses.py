"""The loss of each run of a stack."""

from torch import Tensor
from torch.nn import functional as F

from kanbefair.models.activations import REGISTERS

FEW_CLASSES = 16
"""Classes that fill a vector register."""


def run_losses(logits: Tensor, y: Tensor, loss: str) -> Tensor:
    """Mean loss of each run: logits (S, B, out), targets (B, …) or (S, B, …), to (S,).

    PyTorch's CPU kernel for the cross entropy takes whole registers of classes where these lie side by side in memory. With
    fewer classes than a register holds, rows are laid side by side instead, which is several times faster, to the same bits.
    Their number is filled up to whole registers, as what is left over would be rounded differently; and the gradient is laid
    out as it was, as the products that follow would be summed differently.
    """
    runs, rows, classes = logits.shape
    if loss == "cross_entropy":
        values, target = logits.flatten(0, 1), y.expand(runs, rows).flatten()
        if classes < FEW_CLASSES:
            if values.requires_grad:
                values.register_hook(Tensor.contiguous)
            rest = -len(target) % REGISTERS
            values, target = F.pad(values, (0, 0, 0, rest)).t().unsqueeze(0), F.pad(target, (0, rest)).unsqueeze(0)
        losses = F.cross_entropy(values, target, reduction="none").flatten()
        return losses[: runs * rows].view(runs, rows).mean(1)
    target = y if y.is_floating_point() else F.one_hot(y, logits.shape[-1]).to(logits.dtype)
    return F.mse_loss(logits, target.expand_as(logits), reduction="none").flatten(1).mean(1)
