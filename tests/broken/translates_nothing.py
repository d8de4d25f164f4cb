"""It has a text whose translation is to be written yet."""

from explorer import hookimpl


@hookimpl
def register_translations(register):
    register("zh-CN", {"One layer.": None})
