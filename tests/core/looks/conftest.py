"""The small layers under the names that claims about looks use."""

import pytest

from core.types import Layers, Recipe


@pytest.fixture(scope="session")
def layers(small_layers: Layers) -> Layers:
    return small_layers


@pytest.fixture(scope="session")
def recipe(small_recipe: Recipe) -> Recipe:
    return small_recipe
