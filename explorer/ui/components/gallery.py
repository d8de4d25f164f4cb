"""The picker of networks: families, each with its networks, a drawing and a line of each."""

from collections.abc import Callable, Mapping, Sequence

from explorer.language import author, say
from explorer.plugin.families import Family
from explorer.text import visible
from explorer.ui.components.component import component

_mount = component(
    "gallery",
    """
<div class="gallery">
  <span class="label" id="label"></span>
  <button type="button" class="chosen" aria-haspopup="listbox" aria-expanded="false"></button>
  <div class="list" role="listbox" aria-labelledby="label" hidden></div>
</div>
""",
)


def gallery(
    label: str,
    families: Sequence[Family],
    drawings: Mapping[str, str | None],
    chosen: str,
    key: str,
    on_choose: Callable[[], None],
) -> None:
    """Show the chosen network; all others are in a list that opens below it.

    Args:
        label: What is chosen.
        families: What can be.
        drawings: An SVG of each network by name; `None` is on its way.
        chosen: The name of the network that is chosen.
        key: Identifies the picker.
        on_choose: Called when another one is chosen; `st.session_state[key].choose` is its name.
    """
    _mount(
        data={
            "label": label,
            "chosen": chosen,
            "said": say("{label}: {chosen}", label=label, chosen=chosen),
            "families": [
                {
                    "title": visible(family.title),
                    "line": visible(family.line),
                    "members": [
                        {
                            "name": each.name,
                            "line": visible(author(each.summary)),
                            "drawing": drawings.get(each.name) or "",
                        }
                        for each in family.members
                    ],
                }
                for family in families
            ],
            "waits": any(drawing is None for drawing in drawings.values()),
        },
        key=key,
        on_choose_change=on_choose,
        on_look_change=lambda: None,
    )
