"""The rules of axe-core on a page in a browser, at the widths and in the colour schemes in which people use it."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe

SIZES = {"wide": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
SCHEMES = ("light", "dark")
IMPACTS = ("serious", "critical")
SETTLING_MILLISECONDS = 300
"""Until the transitions of a change of size or colours are over: colours between the two have a contrast of their own."""
ATTEMPTS = 5


def serious_violations(page: Any) -> list[str]:
    """Return what axe-core finds serious or critical on a page, wide and on a phone, light and dark."""
    descriptions = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for name, size in SIZES.items():
            page.set_viewport_size(size)
            descriptions += [f"{name}, {scheme}: {violation}" for violation in _lasting_violations(page)]
    page.emulate_media(color_scheme=None)
    page.set_viewport_size(SIZES["wide"])
    return descriptions


def _lasting_violations(page: Any) -> list[str]:
    """Return the violations that stay, however slowly the page changes."""
    descriptions: list[str] = []
    for _ in range(ATTEMPTS):
        page.wait_for_timeout(SETTLING_MILLISECONDS)
        violations = [rule for rule in Axe().run(page).response["violations"] if rule["impact"] in IMPACTS]
        descriptions = [_describe(violation, node) for violation in violations for node in violation["nodes"]]
        if not descriptions:
            break
    return descriptions


def _describe(violation: dict[str, Any], node: dict[str, Any]) -> str:
    return f"{violation['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
