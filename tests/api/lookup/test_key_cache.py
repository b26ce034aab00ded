"""Keys, roles and projects on the fast path."""

from typing import Any

import pytest

from factories.lookup_paths import GREET, Bearer, LookupPaths, Units, authorized
from promptuary.access import role
from promptuary.access.role import Role, Scope
from promptuary.core.database import Database


def test_a_key_sees_only_the_prompts_of_its_own_project(database: Database, prompts: Units, api: Any, bearer: Bearer) -> None:
    default, shop = bearer("reader"), bearer("reader", "shop")
    for _ in range(2):
        assert api.get(GREET, headers=default).json()["template"] == "{{> tone}} Hi {{name}}"
        assert api.get(GREET, headers=shop).json()["template"] == "Welcome"
        assert api.get("/v1/prompts/tone", headers=default).status_code == 200
        assert api.get("/v1/prompts/tone", headers=shop).status_code == 404


@pytest.mark.parametrize("name", list(Role))
def test_a_role_looks_up_if_it_may_read_prompts(
    prompts: Units, paths: LookupPaths, bearer: Bearer, name: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed, without = bearer(name), bearer(name)
    assert paths.same(GREET, authorized(allowed)).status == 200
    monkeypatch.setitem(role.SCOPES, name, role.SCOPES[name] - {Scope.PROMPT_LOOKUP})
    assert paths.same(GREET, authorized(without)).status == 403


def test_memory_has_no_key_in_clear(prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer) -> None:
    reader = bearer("reader")
    api.get(GREET, headers=reader)
    secret = reader["Authorization"].split("_")[2]
    ((digest, key),) = paths.fast.lookup.keys._keys.items()
    assert len(digest) == 32
    assert secret not in repr((digest, key))


def test_the_number_of_keys_in_memory_is_limited(prompts: Units, paths: LookupPaths, api: Any, bearer: Bearer) -> None:
    paths.fast.lookup.keys.limit = 2
    for header in [bearer("reader") for _ in range(4)]:
        assert api.get(GREET, headers=header).status_code == 200
        assert len(paths.fast.lookup.keys) <= 2
