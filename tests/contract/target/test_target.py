"""The rules of `bot.ports.target.Target`, held by every implementation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bot.errors import DraftMoved, NoSuchApp, NoSuchVersion, UpstreamRefused
from bot.ports.target import (
    LiveRef,
    Replacing,
    SecretsVerdict,
    SecretValues,
    TargetDraft,
    TargetVersion,
)
from store.document import Document, canonical
from tests.contract.target.worlds import World, without_values

KEY, OTHER_KEY = "38b095ac-9566-4238-bba4-6ba508d29ae5", "8103624d-4020-45ae-8d4a-63dc7f7820b2"


def a_secret(
    value: str, *, key: str = KEY, name: str = "API_KEY", about: str = ""
) -> dict[str, Any]:
    variable = {"id": key, "name": name, "value_type": "secret", "description": about}
    return {**variable, "value": value}


def a_text(name: str, value: str) -> dict[str, Any]:
    identity = "23932613-145d-486a-8626-d265a415a3ce"
    return {"id": identity, "name": name, "value_type": "string", "description": "", "value": value}


def a_workflow(title: str, *environment: dict[str, Any], **parts: Any) -> dict[str, Any]:
    node = {"id": "1700000000001", "type": "custom", "data": {"type": "start", "title": title}}
    graph = {"nodes": [node], "edges": [], "viewport": {"x": 0, "y": 0, "zoom": 1}}
    content: dict[str, Any] = {
        "graph": graph,
        "features": {"opening_statement": ""},
        "environment_variables": list(environment),
        "conversation_variables": [],
    }
    return {**content, **parts}


async def live_of(world: World) -> TargetVersion:
    found = await world.target.live(world.app_id)
    assert found is not None
    return found


async def draft_of(world: World) -> TargetDraft:
    found = await world.target.draft(world.app_id)
    assert found is not None
    return found


async def listed(world: World) -> LiveRef:
    refs = [ref async for ref in world.target.list_live()]
    return next(ref for ref in refs if ref.app_id == world.app_id)


async def history_of(world: World, start: int = 0) -> list[TargetVersion]:
    return [version async for version in world.target.history(world.app_id, start=start)]


async def stage(world: World, document: Document, **secrets_from: str) -> str:
    """Stage over the draft as it is now."""
    draft = await world.target.draft(world.app_id)
    token = draft.token if draft else ""
    sources = {key.replace("_", "-"): version for key, version in secrets_from.items()}
    return await world.target.stage(world.app_id, document, token=token, secrets_from=sources)


def same(world: World) -> SecretsVerdict:
    """The verdict on secrets that do not differ as far as this target can tell."""
    return SecretsVerdict.ALIKE if world.draft_secrets_only else SecretsVerdict.EQUAL


async def assert_out_of_reach(world: World, document: Document, **secrets_from: str) -> None:
    """No version's value is taken, above all not the draft's instead; nothing is written."""
    before = await draft_of(world)
    with pytest.raises(UpstreamRefused) as caught:
        await stage(world, document, **secrets_from)
    assert caught.value.upstream_code == "secret_out_of_reach"
    assert await draft_of(world) == before


# -- reading ----------------------------------------------------------------------------------


async def test_a_fresh_app_has_neither_draft_nor_live_version_nor_history(world: World) -> None:
    assert await world.target.draft(world.app_id) is None
    assert await world.target.live(world.app_id) is None
    assert await history_of(world) == []
    assert await world.target.count_versions(world.app_id) == 0
    assert (await listed(world)).live_id == ""


async def test_a_saved_draft_is_no_version(world: World) -> None:
    await world.editor.save(world.app_id, a_workflow("one"))

    assert (await draft_of(world)).document == without_values(a_workflow("one"))
    assert await world.target.live(world.app_id) is None
    assert await world.target.count_versions(world.app_id) == 0


async def test_what_is_published_is_live_listed_and_first_in_the_history(world: World) -> None:
    await world.publish(a_workflow("one"), "first")
    version_id = await world.publish(a_workflow("two"), "second")

    live = await live_of(world)
    assert (live.external_id, live.name) == (version_id, "second")
    assert live.document == without_values(a_workflow("two"))
    assert (await listed(world)).live_id == version_id
    assert [version.name for version in await history_of(world)] == ["second", "first"]


async def test_one_version_is_the_same_document_wherever_it_is_read(world: World) -> None:
    await world.publish(a_workflow("one", a_secret("sk-1"), a_text("GREETING", "hi")))

    live, draft = await live_of(world), await draft_of(world)
    [listed_version] = await history_of(world)

    assert live.document.root == draft.document.root == listed_version.document.root
    assert live.external_hash == draft.token == listed_version.external_hash
    assert live.published_at == listed_version.published_at


async def test_history_goes_on_from_any_index_without_the_draft(world: World) -> None:
    for number in range(43):
        await world.editor.save(world.app_id, a_workflow(f"title {number}"))
        await world.editor.publish(world.app_id, f"v{number}")
    names = [f"v{number}" for number in reversed(range(43))]

    for start in (0, 1, 18, 19, 20, 21, 38, 39, 40, 42, 43):
        assert [version.name for version in await history_of(world, start)] == names[start:]
    assert await world.target.count_versions(world.app_id) == 43


@pytest.mark.parametrize("number", [1, 2, 3, 4, 7, 8])
async def test_versions_are_counted_exactly(world: World, number: int) -> None:
    for index in range(number):
        await world.publish(a_workflow(f"title {index}"))

    assert await world.target.count_versions(world.app_id) == number


async def test_no_secret_value_and_no_mask_is_in_a_document(world: World) -> None:
    await world.publish(a_workflow("one", a_secret("sk-very-secret")))

    versions = [await live_of(world), *await history_of(world)]
    for document in [(await draft_of(world)).document, *(v.document for v in versions)]:
        told = canonical(document.content)
        assert b"very-secret" not in told
        assert b"****" not in told
        assert [secret.name for secret in document.secrets] == ["API_KEY"]


async def test_an_unknown_app_is_refused_by_name(world: World) -> None:
    with pytest.raises(NoSuchApp):
        await world.target.live("a34f9fc0-ce02-4ccc-b75f-778853a70475")


# -- writing the draft ------------------------------------------------------------------------


async def test_staging_writes_the_draft_and_leaves_live_alone(world: World) -> None:
    old = await world.publish(a_workflow("one"))
    await world.publish(a_workflow("two"))
    [_, candidate] = await history_of(world)

    token = await stage(world, candidate.document)

    draft = await draft_of(world)
    assert draft.token == token == candidate.external_hash
    assert draft.document == candidate.document
    assert (await live_of(world)).external_id != old
    assert await world.target.count_versions(world.app_id) == 2


async def test_the_first_draft_is_staged_over_the_empty_token(world: World) -> None:
    await stage(world, without_values(a_workflow("one")))

    assert (await draft_of(world)).document == without_values(a_workflow("one"))


async def test_a_draft_that_was_saved_since_is_not_written_over(world: World) -> None:
    await world.publish(a_workflow("one"))
    token = (await draft_of(world)).token
    await world.editor.save(world.app_id, a_workflow("theirs"))

    with pytest.raises(DraftMoved):
        await world.target.stage(
            world.app_id, without_values(a_workflow("ours")), token=token, secrets_from={}
        )

    assert (await draft_of(world)).document == without_values(a_workflow("theirs"))


async def test_the_token_notices_a_save_of_the_features_where_it_covers_them(
    world: World,
) -> None:
    await world.editor.save(world.app_id, a_workflow("one"))
    before = await draft_of(world)
    await world.editor.save(world.app_id, a_workflow("one", features={"opening_statement": "Hi"}))

    after = await draft_of(world)
    assert (after.token != before.token) is world.token_covers_features
    assert after.document != before.document


async def test_the_token_never_covers_variables(world: World) -> None:
    await world.editor.save(world.app_id, a_workflow("one", a_text("GREETING", "old")))
    before = await draft_of(world)
    await world.editor.save(world.app_id, a_workflow("one", a_text("GREETING", "new")))

    after = await draft_of(world)
    assert after.token == before.token
    assert after.document != before.document


async def test_what_a_document_lacks_is_gone_from_the_draft(world: World) -> None:
    await world.publish(
        a_workflow("one", a_text("GREETING", "hi"), features={"opening_statement": "Hello"})
    )

    await stage(world, without_values(a_workflow("two")))

    draft = await draft_of(world)
    assert draft.document.content["environment_variables"] == []
    assert draft.document.content["features"] == {"opening_statement": ""}


async def test_a_draft_that_was_kept_comes_back_as_it_was(world: World) -> None:
    await world.publish(a_workflow("one", a_secret("sk-1")))
    await world.editor.save(
        world.app_id,
        a_workflow("unfinished", a_secret("sk-1"), features={"opening_statement": "soon"}),
    )
    kept = await draft_of(world)
    await stage(world, (await live_of(world)).document)

    await stage(world, kept.document)

    again = await draft_of(world)
    assert (again.document, again.token) == (kept.document, kept.token)
    assert await world.editor.secrets(world.app_id) == {KEY: "sk-1"}


# -- secrets ----------------------------------------------------------------------------------


async def test_a_secret_keeps_the_value_that_the_draft_has(world: World) -> None:
    await world.publish(a_workflow("one", a_secret("sk-old")))
    await world.publish(a_workflow("two", a_secret("sk-new")))
    [_, candidate] = await history_of(world)

    await stage(world, candidate.document)
    await world.target.publish(world.app_id, name="back to one", comment="")

    live = await live_of(world)
    assert live.document == candidate.document
    assert await world.editor.secrets(world.app_id, live.external_id) == {KEY: "sk-new"}


@pytest.mark.parametrize("name", ["API_KEY", "RENAMED"])
@pytest.mark.parametrize("about", ["", "for billing"])
async def test_a_secret_with_another_name_or_description_keeps_its_value(
    world: World, name: str, about: str
) -> None:
    await world.publish(a_workflow("one", a_secret("sk-1")))
    wanted = without_values(a_workflow("two", a_secret("", name=name, about=about)))

    await stage(world, wanted)

    assert (await draft_of(world)).document == wanted
    assert await world.editor.secrets(world.app_id) == {KEY: "sk-1"}


async def test_a_variable_that_was_plain_becomes_a_secret_with_its_value(world: World) -> None:
    plain = a_secret("was-plain") | {"value_type": "string"}
    await world.publish(a_workflow("one", plain))
    wanted = without_values(a_workflow("two", a_secret("")))

    await stage(world, wanted)

    assert (await draft_of(world)).document == wanted
    assert await world.editor.secrets(world.app_id) == {KEY: "was-plain"}


async def test_a_version_that_lacks_the_secret_is_no_source_of_it(world: World) -> None:
    version_id = await world.publish(a_workflow("one"))
    wanted = without_values(a_workflow("two", a_secret("")))

    with pytest.raises(UpstreamRefused):
        await stage(world, wanted, **{KEY: version_id})

    assert (await draft_of(world)).document == without_values(a_workflow("one"))


async def test_a_secret_that_the_draft_lacks_takes_the_value_of_the_named_version(
    world: World,
) -> None:
    version_id = await world.publish(
        a_workflow("one", a_secret("sk-old"), a_secret("other", key=OTHER_KEY, name="OTHER"))
    )
    await world.publish(a_workflow("two", a_secret("sk-new")))
    [_, candidate] = await history_of(world)
    if world.draft_secrets_only:
        await assert_out_of_reach(world, candidate.document, **{OTHER_KEY: version_id})
        return

    await stage(world, candidate.document, **{OTHER_KEY: version_id})

    assert await world.editor.secrets(world.app_id) == {KEY: "sk-new", OTHER_KEY: "other"}


async def test_a_save_that_the_token_does_not_cover_stops_the_write_by_its_root(
    world: World,
) -> None:
    await world.publish(a_workflow("one", a_text("GREETING", "hi")))
    read = await draft_of(world)
    await world.editor.save(world.app_id, a_workflow("one", a_text("GREETING", "hello")))
    now = await draft_of(world)

    with pytest.raises(DraftMoved):
        await world.target.stage(
            world.app_id,
            without_values(a_workflow("two")),
            token=now.token,
            root=read.document.root,
            secrets_from={},
        )

    assert (await draft_of(world)).document == now.document


async def test_a_secret_without_any_source_stops_the_write(world: World) -> None:
    await world.publish(a_workflow("one"))
    wanted = without_values(a_workflow("two", a_secret("")))

    with pytest.raises(UpstreamRefused):
        await stage(world, wanted)

    assert (await draft_of(world)).document == without_values(a_workflow("one"))


async def test_a_secret_of_a_deleted_version_stops_the_write(world: World) -> None:
    version_id = await world.publish(a_workflow("one", a_secret("sk-1")))
    await world.publish(a_workflow("two"))
    await world.editor.delete(world.app_id, version_id)
    wanted = without_values(a_workflow("one", a_secret("")))
    if world.draft_secrets_only:
        await assert_out_of_reach(world, wanted, **{KEY: version_id})
        return

    with pytest.raises(NoSuchVersion):
        await stage(world, wanted, **{KEY: version_id})

    assert (await draft_of(world)).document == without_values(a_workflow("two"))


async def test_equal_secrets_in_draft_and_live_are_equal(world: World) -> None:
    live_id = await world.publish(a_workflow("one", a_secret("sk-1")))
    await world.editor.save(world.app_id, a_workflow("two", a_secret("sk-1")))

    compared = await world.target.compare_secrets(world.app_id, live_id=live_id)

    assert compared.verdict is same(world)


async def test_equal_ends_of_values_prove_nothing_where_no_more_is_shown(world: World) -> None:
    live_id = await world.publish(a_workflow("one", a_secret("sk-pro-1111-xy")))
    await world.editor.save(world.app_id, a_workflow("one", a_secret("sk-pro-2222-xy")))

    compared = await world.target.compare_secrets(world.app_id, live_id=live_id)

    hidden = world.draft_secrets_only
    assert compared.verdict is (SecretsVerdict.ALIKE if hidden else SecretsVerdict.DIFFER)


async def test_a_target_says_whether_the_secrets_of_old_versions_can_be_read(
    world: World,
) -> None:
    assert await world.target.draft_secrets_only() is world.draft_secrets_only


async def test_an_app_without_secrets_has_equal_ones(world: World) -> None:
    live_id = await world.publish(a_workflow("one", a_text("GREETING", "hi")))

    compared = await world.target.compare_secrets(world.app_id, live_id=live_id)

    assert compared.verdict is SecretsVerdict.EQUAL


async def test_a_value_of_the_drafts_own_is_named(world: World) -> None:
    live_id = await world.publish(a_workflow("one", a_secret("sk-1")))
    await world.editor.save(world.app_id, a_workflow("one", a_secret("sk-unpublished")))

    compared = await world.target.compare_secrets(world.app_id, live_id=live_id)

    assert (compared.verdict, compared.names) == (SecretsVerdict.DIFFER, ("API_KEY",))


async def test_a_secret_that_only_the_draft_has_would_be_lost_too(world: World) -> None:
    live_id = await world.publish(a_workflow("one", a_secret("sk-1")))
    new = a_secret("n", key=OTHER_KEY, name="NEW")
    await world.editor.save(world.app_id, a_workflow("one", a_secret("sk-1"), new))

    compared = await world.target.compare_secrets(world.app_id, live_id=live_id)

    assert (compared.verdict, compared.names) == (SecretsVerdict.DIFFER, ("NEW",))


async def test_a_secret_that_only_live_has_is_no_difference(world: World) -> None:
    live_id = await world.publish(a_workflow("one", a_secret("sk-1")))
    await world.editor.save(world.app_id, a_workflow("one"))

    compared = await world.target.compare_secrets(world.app_id, live_id=live_id)

    assert compared.verdict is same(world)
    if compared.verdict is SecretsVerdict.ALIKE:
        assert compared.absent == (KEY,), "its value could be taken from nowhere"


async def test_a_secret_with_a_source_of_its_own_is_compared_with_that(world: World) -> None:
    other = a_secret("o-1", key=OTHER_KEY, name="OTHER")
    old = await world.publish(a_workflow("one", a_secret("sk-1"), other))
    live_id = await world.publish(a_workflow("two", a_secret("sk-2")))
    await world.editor.save(world.app_id, a_workflow("one", a_secret("sk-2"), other))

    as_planned = await world.target.compare_secrets(
        world.app_id, live_id=live_id, own={OTHER_KEY: old}
    )
    without = await world.target.compare_secrets(world.app_id, live_id=live_id)

    hidden = world.draft_secrets_only
    assert as_planned.verdict is (SecretsVerdict.UNKNOWN if hidden else SecretsVerdict.EQUAL)
    assert (without.verdict, without.names) == (SecretsVerdict.DIFFER, ("OTHER",))


async def test_secrets_of_a_deleted_version_cannot_be_compared(world: World) -> None:
    old = await world.publish(a_workflow("one", a_secret("sk-1")))
    live_id = await world.publish(a_workflow("two", a_secret("sk-1")))
    await world.editor.delete(world.app_id, old)

    compared = await world.target.compare_secrets(world.app_id, live_id=live_id, own={KEY: old})

    assert compared.verdict is SecretsVerdict.UNKNOWN


async def test_the_secrets_of_a_published_version_are_compared_too(world: World) -> None:
    values = ("sk-one-1111-aa", "sk-one-1111-aa", "sk-two-2222-bb")
    old = await world.publish(a_workflow("one", a_secret(values[0])))
    kept = await world.publish(a_workflow("two", a_secret(values[1])))

    alike = await world.target.compare_secrets(world.app_id, live_id=old, published_id=kept)
    other = await world.publish(a_workflow("three", a_secret(values[2])))
    differ = await world.target.compare_secrets(world.app_id, live_id=old, published_id=other)

    assert alike.verdict is same(world)
    assert (differ.verdict, differ.names) == (SecretsVerdict.DIFFER, ("API_KEY",))


# -- values that are read and put back ----------------------------------------------------------


async def replaced(
    world: World, document: Document, values: Mapping[str, str], over: Mapping[str, str]
) -> str:
    """Write *document* with *values* over a draft whose secrets should have those of *over*."""
    draft = await draft_of(world)
    return await world.target.stage(
        world.app_id,
        document,
        token=draft.token,
        root=draft.document.root,
        secrets_from={},
        replacing=Replacing(SecretValues(values), over=SecretValues(over)),
    )


async def test_the_drafts_values_can_be_read_on_every_release(world: World) -> None:
    await world.publish(a_workflow("one", a_secret("sk-live")))
    own = a_secret("sk-own", key=OTHER_KEY, name="OWN")
    draft = a_workflow("two", a_secret("sk-changed"), own, a_text("GREETING", "hi"))
    await world.editor.save(world.app_id, draft)

    found = await world.target.read_secrets(world.app_id)

    assert found.by_id == {KEY: "sk-changed", OTHER_KEY: "sk-own"}
    assert "sk-" not in repr(found)


async def test_a_versions_values_can_be_read_where_it_gives_them_out(world: World) -> None:
    other = a_secret("sk-other", key=OTHER_KEY, name="OTHER")
    old = await world.publish(a_workflow("one", a_secret("sk-old"), other))
    live_id = await world.publish(a_workflow("two", a_secret("sk-live")))
    await world.editor.save(world.app_id, a_workflow("three", a_secret("sk-changed")))
    if world.draft_secrets_only:
        with pytest.raises(UpstreamRefused) as caught:
            await world.target.read_secrets(world.app_id, live_id=live_id)
        assert caught.value.upstream_code == "secret_out_of_reach"
        return

    live = await world.target.read_secrets(world.app_id, live_id=live_id)
    planned = await world.target.read_secrets(world.app_id, live_id=live_id, own={OTHER_KEY: old})

    assert live.by_id == {KEY: "sk-live"}
    assert planned.by_id == {KEY: "sk-live", OTHER_KEY: "sk-other"}


async def test_a_value_that_is_given_replaces_the_drafts(world: World) -> None:
    changed = a_workflow("one", a_secret("sk-changed"), a_text("GREETING", "hi"))
    await world.editor.save(world.app_id, changed)
    wanted = without_values(a_workflow("two", a_secret(""), a_text("GREETING", "hello")))

    await replaced(world, wanted, {KEY: "sk-live"}, over={KEY: "sk-changed"})

    assert await world.editor.secrets(world.app_id) == {KEY: "sk-live"}
    assert (await draft_of(world)).document == wanted


async def test_a_secret_that_the_draft_lacks_takes_the_value_that_is_given(world: World) -> None:
    await world.editor.save(world.app_id, a_workflow("one", a_secret("sk-live")))
    own = a_secret("", key=OTHER_KEY, name="OWN")
    wanted = without_values(a_workflow("two", a_secret(""), own))

    await replaced(world, wanted, {OTHER_KEY: "sk-own"}, over={KEY: "sk-live"})

    assert await world.editor.secrets(world.app_id) == {KEY: "sk-live", OTHER_KEY: "sk-own"}
    assert (await draft_of(world)).document == wanted


async def test_a_draft_goes_back_with_its_values_over_the_approved_content(world: World) -> None:
    theirs = a_workflow("theirs", a_secret("sk-changed", about="mine"))
    await world.editor.save(world.app_id, theirs)
    kept, before = (await draft_of(world)).document, await world.target.read_secrets(world.app_id)
    wanted = without_values(a_workflow("ours", a_secret("")))

    await replaced(world, wanted, {KEY: "sk-live"}, over=before.by_id)
    await replaced(world, kept, before.by_id, over={KEY: "sk-live"})

    assert (await draft_of(world)).document == kept
    assert await world.editor.secrets(world.app_id) == {KEY: "sk-changed"}


@pytest.mark.parametrize("over", [{}, {KEY: "sk-other"}, {KEY: "sk-1", OTHER_KEY: "sk-2"}])
async def test_a_draft_with_other_values_than_were_read_is_left_alone(
    world: World, over: Mapping[str, str]
) -> None:
    await world.editor.save(world.app_id, a_workflow("theirs", a_secret("sk-1")))
    before = await draft_of(world)
    wanted = without_values(a_workflow("ours", a_secret("")))

    with pytest.raises(DraftMoved):
        await replaced(world, wanted, {KEY: "sk-live"}, over=over)

    assert await draft_of(world) == before
    assert await world.editor.secrets(world.app_id) == {KEY: "sk-1"}


# -- publishing -------------------------------------------------------------------------------


async def test_publishing_makes_the_draft_live_under_a_new_id(world: World) -> None:
    old = await world.publish(a_workflow("one"))
    await stage(world, without_values(a_workflow("two")))

    await world.target.publish(world.app_id, name="rollback", comment="INC-42, two keys")

    live = await live_of(world)
    assert live.external_id != old
    assert (live.name, live.comment) == ("rollback", "INC-42, two keys")
    assert live.document == without_values(a_workflow("two"))
    assert old in [version.external_id for version in await history_of(world)]


async def test_an_empty_graph_publishes_because_dify_lets_it(world: World) -> None:
    empty = a_workflow("", graph={"nodes": [], "edges": []})
    await world.editor.save(world.app_id, empty)

    await world.target.publish(world.app_id, name="", comment="")

    assert (await live_of(world)).document.empty_graph


async def test_twenty_characters_of_any_script_are_a_name(world: World) -> None:
    await world.editor.save(world.app_id, a_workflow("one"))

    await world.target.publish(world.app_id, name="回" * 20, comment="é" * 100)

    assert (await live_of(world)).name == "回" * 20


@pytest.mark.parametrize(("name", "comment"), [("n" * 21, ""), ("", "c" * 101)])
async def test_what_is_too_long_is_not_sent(world: World, name: str, comment: str) -> None:
    await world.editor.save(world.app_id, a_workflow("one"))

    with pytest.raises(ValueError, match=r"too long|20 characters"):
        await world.target.publish(world.app_id, name=name, comment=comment)

    assert await world.target.live(world.app_id) is None


async def test_there_is_nothing_to_publish_without_a_draft(world: World) -> None:
    with pytest.raises(UpstreamRefused):
        await world.target.publish(world.app_id, name="", comment="")
