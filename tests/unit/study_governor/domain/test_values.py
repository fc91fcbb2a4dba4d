"""Variables: types kept, pointers resolved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from study_governor.contract.states import VariableType
from study_governor.domain.values import map_variables, pack, resolve_pointer, unpack

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_every_variable_comes_back_as_it_was_stored(value):
    back = unpack(*pack(value))
    assert back == value
    assert type(back) is type(value)


@given(st.dictionaries(st.text(min_size=1), st.none() | st.integers() | st.lists(st.text()), min_size=1))
def test_every_key_can_be_pointed_to(values):
    for key, value in values.items():
        assert resolve_pointer(values, "/" + key.replace("~", "~0").replace("/", "~1")) == value


def test_a_bool_is_not_an_int():
    assert pack(True)[0] is VariableType.BOOL
    assert pack(1)[0] is VariableType.INT


def test_what_is_missing_becomes_none():
    assert map_variables({"a": "/x/0/y", "b": "c"}, {"x": [{"y": 5}]}) == {"a": 5, "b": None}
