"""The prompts page: the content of versions as text, their differences, and the history of labels."""

from itertools import zip_longest

import streamlit as st

from promptuary_ui import session
from promptuary_ui.components.messages import show_messages
from promptuary_ui.components.text import escape_markdown, format_time, format_value, show_block
from promptuary_ui.components.version_changes import show_changes
from promptuary_ui.wire.prompts import Prompt, Split, Version

PROMPT, TAB = "prompt", "tab"
CONTENT, COMPARE, HISTORY = "Content", "Compare", "Label history"


def show() -> None:
    """Show the list of prompts beside the chosen one."""
    st.title("Prompts", anchor=False)
    search = st.text_input("Search", placeholder="Part of a name", icon=":material/search:", label_visibility="collapsed")
    matches = session.api().prompts(search.strip())
    if not matches:
        st.info("No prompt matches the search." if search else "There is no prompt yet.", icon=":material/inbox:")
        return
    names = [prompt.name for prompt in matches]
    requested = st.query_params.get(PROMPT)
    list_column, prompt_column = st.columns([1, 2.6], gap="medium")
    with list_column:
        name = st.radio(
            "Prompt",
            names,
            index=names.index(requested) if requested in names else 0,
            captions=[_label_text(prompt) or "no label" for prompt in matches],
            format_func=escape_markdown,
            label_visibility="collapsed",
        )
    st.query_params[PROMPT] = name
    with prompt_column:
        _show_prompt(name)


def _label_text(prompt: Prompt) -> str:
    targets = {label: _target_text(number, prompt.splits.get(label)) for label, number in sorted(prompt.labels.items())}
    return " · ".join(f"{escape_markdown(label)} → {target}" for label, target in targets.items())


def _target_text(number: int | None, split: Split | None) -> str:
    if number is None:
        return "removed"
    if split is None:
        return f"v{number}"
    return ", ".join(f"v{version} {share * 100:.4g} %" for version, share in split.shares())


def _show_prompt(name: str) -> None:
    versions = {version.version: version for version in session.api().versions(name)}
    if not versions:
        st.info("This prompt has no version.", icon=":material/inbox:")
        return
    labels = {label for version in versions.values() for label in version.labels}
    st.subheader(escape_markdown(name), anchor=False)
    content, compare, history = st.tabs([CONTENT, COMPARE, HISTORY], key=TAB, bind="query-params")
    with content:
        if content.open:
            _show_content(versions[_choose_version("Version", name, versions)])
    with compare:
        if compare.open:
            _show_comparison(name, versions)
    with history:
        if history.open:
            _show_history(name, sorted(labels | session.api().removed_labels(name)))


def _choose_version(title: str, name: str, versions: dict[int, Version], index: int = 0) -> int:
    """Return the version number that the user chose; the choice stays while the page shows something else."""
    titles = {number: _version_title(version) for number, version in versions.items()}
    key = f"{title}.{name}"
    return int(st.selectbox(title, list(titles), index, titles.__getitem__, key=key, persist_state="page", width=320))


def _version_title(version: Version) -> str:
    notes = [*version.labels, *(["erased"] if version.erased_at else [])]
    return f"v{version.version}" + (f" ({', '.join(notes)})" if notes else "")


def _show_content(version: Version) -> None:
    if version.labels or version.tags:
        with st.container(horizontal=True):
            for label in version.labels:
                st.badge(escape_markdown(label), icon=":material/label:", color="green")
            for tag in version.tags:
                st.badge(escape_markdown(tag), icon=":material/tag:", color="gray")
    st.caption(
        f"{escape_markdown(version.author)}, {format_time(version.created_at)}"
        + (f": {escape_markdown(version.message)}" if version.message else "")
    )
    if version.erased_at is not None:
        st.info(
            f"The content of this version was erased at {format_time(version.erased_at)}. "
            "Its number, digest, labels and history stay.",
            icon=":material/delete_forever:",
        )
        st.caption(version.digest)
        return
    if isinstance(version.template, str):
        show_block(version.template)
    else:
        show_messages(version.template, key=f"{version.name}.{version.version}")
    left, right = st.columns(2)
    with left:
        st.markdown("**Variables**")
        if version.variables:
            rows = [
                {"name": name, "type": str(spec.get("type", "")), "required": spec.get("required", True)}
                for name, spec in version.variables.items()
            ]
            st.dataframe(rows, hide_index=True, width="stretch")
        else:
            st.caption("none")
    with right:
        for title, value in (
            ("Model", version.model),
            ("Context", version.context),
            ("Response format", version.response_format),
        ):
            if value:
                st.markdown(f"**{title}**")
                show_block(_settings_text(value))
        if version.config is not None:
            st.markdown("**Configuration**")
            show_block(version.config)
        if version.tools:
            st.markdown("**Tools**")
            show_block(version.tools)
    if version.partials:
        _show_includes(version)
    st.caption(f"{version.format} · {version.digest}")


def _show_includes(version: Version) -> None:
    """Show the texts that the templates include, each with the version of the prompt that contains it."""
    pinned = {include.reference: f"{include.name} v{include.version}" for include in version.includes}
    st.markdown("**Included**")
    for reference, source in version.partials.items():
        with st.expander(
            escape_markdown(reference) + (f" · {escape_markdown(pinned[reference])}" if reference in pinned else "")
        ):
            show_block(source)


def _show_comparison(name: str, versions: dict[int, Version]) -> None:
    """Show the differences between two versions: by default from production, or the second newest, to the newest."""
    erased = {number for number, version in versions.items() if version.erased_at is not None}
    versions = {number: version for number, version in versions.items() if number not in erased}
    if len(versions) < 2:
        st.caption("Fewer than two versions have their content." if erased else "There is only one version.")
        return
    numbers = list(versions)
    live = next((number for number, version in versions.items() if "production" in version.labels), numbers[0])
    start = live if live != numbers[0] else numbers[1]

    from_column, to_column, toggle_column = st.columns([1.2, 1.2, 1], vertical_alignment="bottom")
    with from_column:
        before = _choose_version("From", name, versions, numbers.index(start))
    with to_column:
        after = _choose_version("To", name, versions)
    beside = toggle_column.toggle("Side by side", key="beside")
    if before == after:
        st.caption("Both versions are the same.")
        return
    show_changes(session.api().diff(name, before, after), before, beside=beside)


def _settings_text(value: dict[str, object]) -> str:
    return "\n".join(f"{name}: {format_value(part)}" for name, part in value.items() if part is not None)


def _show_history(name: str, labels: list[str]) -> None:
    if not labels:
        st.caption("No label has been set.")
    for label in labels:
        st.markdown(f"**{escape_markdown(label)}**")
        moves = session.api().history(name, label)
        rows = [
            {
                "when": format_time(move.at),
                "to": _target_text(move.version, move.split),
                "from": _target_text(move.previous, before.split if before else None) if move.previous else "",
                "by": move.actor,
                "reason": move.reason,
            }
            for move, before in zip_longest(moves, moves[1:])
        ]
        st.dataframe(rows, hide_index=True, width="stretch")
