"""JSON of the product has no NaN and no infinity."""

import json

import pytest
from PseudoCTDenoiseLib.json_text import json_text


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_become_null(number):
    text = json_text({"a": [1.5, number, (number, "x")], "b": number, "c": None})
    assert json.loads(text) == {"a": [1.5, None, [None, "x"]], "b": None, "c": None}


def test_options_are_those_of_json():
    assert json_text({"b": "ü"}, indent=1, ensure_ascii=False) == '{\n "b": "ü"\n}'
