"""Give components the form in which Discord stores them: an id each, defaults filled in, media resolved.

Ids that the sender chose stay; the others are the first free numbers from 1 (developers/components/reference.mdx,
"Anatomy of a Component").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from peerbot.rehearsal.wire import Wire

BUTTON, SELECTS, SECTION, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER = 2, (3, 5, 6, 7, 8), 9, 11, 12, 13, 14, 17

_DEFAULTS: dict[int, Wire] = {
    BUTTON: {"style": 1},
    THUMBNAIL: {"description": None, "spoiler": False},
    FILE: {"spoiler": False, "name": None, "size": None},
    SEPARATOR: {"spacing": 1, "divider": True},
    CONTAINER: {"accent_color": None, "spoiler": False},
    **{kind: {"min_values": 1, "max_values": 1} for kind in SELECTS},
}

Media = Callable[[str], Wire]


def stored(components: list[Wire] | None, media: Media) -> list[Wire]:
    """Return components as Discord would store them; `media` resolves the url of a picture or file."""
    kept = [_filled(component, media) for component in components or []]
    taken = {component["id"] for component in every(kept) if component.get("id")}
    following = 1
    for component in every(kept):
        if not component.get("id"):
            while following in taken:
                following += 1
            component["id"] = following
            taken.add(following)
    return kept


def every(components: list[Wire]) -> Iterator[Wire]:
    """Give each component, those inside others too, in the order of the message."""
    for component in components:
        yield component
        yield from every(component.get("components", []))
        for inner in (component.get("accessory"), component.get("component")):
            if inner:
                yield from every([inner])


def _filled(component: Wire, media: Media) -> Wire:
    # A null stands for "left out" in requests, and must not come back where the response knows no null.
    given = {key: value for key, value in component.items() if value is not None}
    filled: Wire = _DEFAULTS.get(component["type"], {}) | given
    if "components" in filled:
        filled["components"] = [_filled(inner, media) for inner in filled["components"]]
    for key in ("accessory", "component"):
        if key in filled:
            filled[key] = _filled(filled[key], media)
    for key in ("media", "file"):
        if key in filled:
            filled[key] = media(filled[key]["url"])
    if component["type"] == GALLERY:
        filled["items"] = [_gallery_item(item, media) for item in filled["items"]]
    return filled


def _gallery_item(item: Wire, media: Media) -> Wire:
    described: dict[str, Any] = {"description": item.get("description"), "spoiler": bool(item.get("spoiler"))}
    return described | {"media": media(item["media"]["url"])}
