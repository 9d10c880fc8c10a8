"""Image datasets."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task, make_task, overall_moments


@register("Digits", domain="vision", embedded=True)
def digits(request: Request) -> Task:
    """scikit-learn's 1,797 handwritten digits of 8×8 pixels; one fifth, in class proportion, is the test part."""
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = map(torch.from_numpy, train_test_split(x, y, test_size=0.2, random_state=42, stratify=y))
    return make_task("Digits", "vision", request.protocol, (x_train, y_train), (x_test, y_test), moments=overall_moments)
