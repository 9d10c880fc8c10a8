"""Tabular datasets."""

import torch
from sklearn import datasets
from sklearn.model_selection import train_test_split

from kanbefair.data.registry import Request, register
from kanbefair.data.task import Task, feature_moments, make_task

SKLEARN = {"WineRecognition": datasets.load_wine, "BreastCancer": datasets.load_breast_cancer}


@register(*SKLEARN, domain="tabular", embedded=True)
def sklearn_table(request: Request) -> Task:
    """scikit-learn's wine recognition and breast cancer tables; one fifth, in class proportion, is the test part."""
    x, y = SKLEARN[request.name](return_X_y=True)
    x_train, x_test, y_train, y_test = map(torch.from_numpy, train_test_split(x, y, test_size=0.2, random_state=42, stratify=y))
    return make_task(
        request.name, "tabular", request.protocol, (x_train, y_train), (x_test, y_test), moments=feature_moments
    )
