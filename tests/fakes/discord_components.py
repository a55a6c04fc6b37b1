"""Components of the fake Discord: what a message and a modal may hold, and what is refused with 50035."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes.discord_objects import Form, Json

ROW, BUTTON, STRING_SELECT, TEXT_INPUT, SECTION, TEXT, THUMBNAIL, GALLERY = 1, 2, 3, 4, 9, 10, 11, 12
FILE, SEPARATOR, CONTAINER, LABEL, FILE_UPLOAD, RADIO, CHECKBOXES, CHECKBOX = 13, 14, 17, 18, 19, 21, 22, 23
SELECTS = {STRING_SELECT, 5, 6, 7, 8}
IN_CONTAINER = {ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR}
TOP_LEVEL = IN_CONTAINER | {CONTAINER}
IN_LABEL = SELECTS | {TEXT_INPUT, FILE_UPLOAD, RADIO, CHECKBOXES, CHECKBOX}
LINK, PREMIUM = 5, 6

COMPONENTS = 40
TEXT_CHARACTERS = 4000
LEGACY_ROWS = 5
GALLERY_ITEMS = 10
ALT_CHARACTERS = 1024
CUSTOM_ID = 100

Path = tuple[str | int, ...]


def check_components(form: Form, components: list[Json], v2: bool, attached: set[str], path: Path) -> None:
    """Check a message's components; attached: names that `attachment://` may lead to."""
    everything = list(walk(components))
    if v2:
        if not components:
            form.wrong(path, "BASE_TYPE_REQUIRED", "This field is required")
        if len(everything) > COMPONENTS:
            form.wrong(
                path, "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", f"{len(everything)} of {COMPONENTS} components."
            )
        characters = sum(len(c.get("content", "")) for c in everything if c.get("type") == TEXT)
        if characters > TEXT_CHARACTERS:
            text = f"Total displayable text size exceeds maximum size of {TEXT_CHARACTERS}: {characters}"
            form.wrong(path, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", text)
    else:
        form.length(path, components, 0, LEGACY_ROWS)
    check_unique(form, everything, path)
    for i, component in enumerate(components):
        _one(form, component, TOP_LEVEL if v2 else {ROW}, attached, (*path, i))


def check_modal(form: Form, modal: Json, path: Path) -> None:
    """Check a modal: 1 to 5 labels, texts, or (deprecated) rows with one text input."""
    _required(form, modal, "title", path, 45)
    _required(form, modal, "custom_id", path, CUSTOM_ID)
    components = modal.get("components") or []
    form.length((*path, "components"), components, 1, 5)
    check_unique(form, list(walk(components)), path)
    for i, component in enumerate(components):
        here = (*path, "components", i)
        match component.get("type"):
            case 18:
                _required(form, component, "label", here, 45)
                form.length((*here, "description"), component.get("description"), 1, 100)
                inside = component.get("component") or {}
                _modal_field(form, inside, (*here, "component"))
            case 1:
                inside = component.get("components") or []
                if [c.get("type") for c in inside] != [TEXT_INPUT]:
                    form.wrong((*here, "components"), "BASE_TYPE_CHOICES", "A modal's row holds one text input.")
            case 10:
                _required(form, component, "content", here, TEXT_CHARACTERS)
            case _:
                form.wrong((*here, "type"), "UNION_TYPE_CHOICES", 'Value of field "type" must be one of (1, 10, 18).')


def check_unique(form: Form, everything: list[Json], path: Path) -> None:
    """Check that no two components share a custom id or an id."""
    for key, code in (("custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED"), ("id", "COMPONENT_ID_DUPLICATED")):
        seen: set[Any] = set()
        for component in everything:
            value = component.get(key)
            if value and value in seen:
                form.wrong((*path, key), code, f"Component {key} cannot be duplicated: {value}")
            seen.add(value)


def walk(components: list[Json]) -> Iterator[Json]:
    """Yield every component, those inside and beside others as well."""
    for component in components:
        yield component
        yield from walk(component.get("components") or [])
        for beside in ("accessory", "component"):
            if component.get(beside):
                yield from walk([component[beside]])


def media_of(components: list[Json]) -> Iterator[Json]:
    """Yield every unfurled media item: `{"url": ...}`."""
    for component in walk(components):
        match component.get("type"):
            case 12:
                yield from (item.get("media") or {} for item in component.get("items") or [])
            case 11:
                yield component.get("media") or {}
            case 13:
                yield component.get("file") or {}


def shown(components: list[Json], resolve: Callable[[str], Json], sizes: dict[str, int]) -> list[Json]:
    """Return components as the server gives them back: numbered, without nulls, their media resolved.

    sizes: bytes of the files that `attachment://` leads to, by name.
    """
    taken = {c["id"] for c in walk(components) if c.get("id")}
    numbers = (n for n in itertools.count(1) if n not in taken)

    def one(component: Json) -> Json:
        made: Json = {key: value for key, value in component.items() if value is not None}
        made["id"] = component.get("id") or next(numbers)
        if component["type"] == GALLERY:
            made["items"] = [{"description": None, "spoiler": False, **i, "media": resolve(i["media"]["url"])}
                             for i in component["items"]]  # fmt: skip
        elif component["type"] in {THUMBNAIL, FILE}:
            key = "media" if component["type"] == THUMBNAIL else "file"
            made = {"spoiler": False, **({"description": None} if key == "media" else {}), **made}
            made[key] = resolve(component[key]["url"])
            if key == "file":
                name = component[key]["url"].removeprefix("attachment://")
                made |= {"name": name, "size": sizes.get(name)}
        elif component["type"] == CONTAINER:
            made = {"accent_color": None, "spoiler": False, **made}
        elif component["type"] == SEPARATOR:
            made = {"spacing": 1, "divider": True, **made}
        elif component["type"] == BUTTON:
            made = {"disabled": False, **made}
        elif component["type"] in SELECTS:
            made = {"min_values": 1, "max_values": 1, "disabled": False, **made}
        if "components" in component:
            made["components"] = [one(inside) for inside in component["components"]]
        if component.get("accessory"):
            made["accessory"] = one(component["accessory"])
        return made

    return [one(component) for component in components]


def _one(form: Form, component: Json, allowed: set[int], attached: set[str], path: Path) -> None:
    kind = component.get("type")
    if kind not in allowed:
        wanted = ", ".join(map(str, sorted(allowed)))
        form.wrong((*path, "type"), "UNION_TYPE_CHOICES", f'Value of field "type" must be one of ({wanted}).')
        return
    inside = component.get("components") or []
    match kind:
        case 1:
            form.length((*path, "components"), inside, 1, 5)
            if len(inside) > 1 and any(c.get("type") in SELECTS for c in inside):
                form.wrong(path, "COMPONENT_LAYOUT_WIDTH_EXCEEDED", "The specified component exceeds the maximum width")
            for i, child in enumerate(inside):
                _one(form, child, {BUTTON} | SELECTS, attached, (*path, "components", i))
        case 2:
            _button(form, component, path)
        case 3 | 5 | 6 | 7 | 8:
            _select(form, component, path)
        case 9:
            form.length((*path, "components"), inside, 1, 3)
            for i, child in enumerate(inside):
                _one(form, child, {TEXT}, attached, (*path, "components", i))
            _one(form, component.get("accessory") or {}, {BUTTON, THUMBNAIL}, attached, (*path, "accessory"))
        case 10:
            _required(form, component, "content", path, TEXT_CHARACTERS)
        case 11:
            form.length((*path, "description"), component.get("description"), 1, ALT_CHARACTERS)
            _media(form, component.get("media"), attached, (*path, "media"))
        case 12:
            items = component.get("items") or []
            form.length((*path, "items"), items, 1, GALLERY_ITEMS)
            for i, item in enumerate(items):
                form.length((*path, "items", i, "description"), item.get("description"), 1, ALT_CHARACTERS)
                _media(form, item.get("media"), attached, (*path, "items", i, "media"))
        case 13:
            file = component.get("file") or {}
            if not str(file.get("url", "")).startswith("attachment://"):
                form.wrong((*path, "file", "url"), "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('attachment',).")
            _media(form, file, attached, (*path, "file"))
        case 17:
            form.length((*path, "components"), inside, 1, COMPONENTS)
            for i, child in enumerate(inside):
                _one(form, child, IN_CONTAINER, attached, (*path, "components", i))


def _button(form: Form, button: Json, path: Path) -> None:
    style = button.get("style")
    if style not in {1, 2, 3, 4, LINK, PREMIUM}:
        form.wrong((*path, "style"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2, 3, 4, 5, 6).")
    form.length((*path, "label"), button.get("label"), 1, 80)
    if not button.get("label") and not button.get("emoji") and style != PREMIUM:
        form.wrong(path, "BUTTON_COMPONENT_MUST_HAVE_LABEL_OR_EMOJI", "A button must have a label or an emoji.")
    if style == LINK:
        if not str(button.get("url", "")).startswith(("http://", "https://", "discord://")):
            form.wrong((*path, "url"), "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('discord', 'http', 'https').")
        if button.get("custom_id"):
            form.wrong(path, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", "A link has no custom id.")
    elif style != PREMIUM:
        _required(form, button, "custom_id", path, CUSTOM_ID)


def _select(form: Form, select: Json, path: Path) -> None:
    _required(form, select, "custom_id", path, CUSTOM_ID)
    form.length((*path, "placeholder"), select.get("placeholder"), 0, 150)
    least, most = select.get("min_values"), select.get("max_values")
    least, most = 1 if least is None else least, 1 if most is None else most
    if not 0 <= least <= 25 or not 1 <= most <= 25 or least > most:
        form.wrong(path, "BASE_TYPE_MIN_MAX", f"min_values {least} and max_values {most} must fit 0 to 25.")
    if select["type"] == STRING_SELECT:
        options = select.get("options") or []
        form.length((*path, "options"), options, 1, 25)
        if most > max(1, len(options)):
            form.wrong((*path, "max_values"), "COMPONENT_SELECT_MAX_VALUES", "More values than options.")
        if len({option.get("value") for option in options}) < len(options):
            form.wrong((*path, "options"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "Values must be unique.")
        for i, option in enumerate(options):
            for key in ("label", "value"):
                _required(form, option, key, (*path, "options", i), 100)
            form.length((*path, "options", i, "description"), option.get("description"), 0, 100)


def _modal_field(form: Form, component: Json, path: Path) -> None:
    kind = component.get("type")
    if kind not in IN_LABEL:
        form.wrong((*path, "type"), "UNION_TYPE_CHOICES", "This component cannot stand in a label.")
    elif kind in SELECTS:
        _select(form, component, path)
    else:
        _required(form, component, "custom_id", path, CUSTOM_ID)
    if kind == FILE_UPLOAD:
        least, most = component.get("min_values"), component.get("max_values")
        least, most = 1 if least is None else least, 1 if most is None else most
        if not 0 <= least <= 10 or not 1 <= most <= 10 or least > most:
            form.wrong(path, "BASE_TYPE_MIN_MAX", f"min_values {least} and max_values {most} must fit 0 to 10.")
    if kind in {RADIO, CHECKBOXES}:
        form.length((*path, "options"), component.get("options") or [], 2 if kind == RADIO else 1, 10)


def _media(form: Form, media: Json | None, attached: set[str], path: Path) -> None:
    url = str((media or {}).get("url", ""))
    scheme, _, name = url.partition("://")
    if scheme == "attachment":
        if name not in attached:
            text = f"The referenced attachment was not found: {name}"
            form.wrong((*path, "url"), "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", text)
    elif scheme not in {"http", "https"} or len(url) > 2048:
        form.wrong((*path, "url"), "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('attachment', 'http', 'https').")


def _required(form: Form, body: Json, key: str, path: Path, most: int) -> None:
    if not body.get(key):
        form.wrong((*path, key), "BASE_TYPE_REQUIRED", "This field is required")
    else:
        form.length((*path, key), body[key], 1, most)
