"""The page *Plugins*: what was loaded, from where, and what is broken and why."""

import streamlit as st

from explorer.ui import state


def page() -> None:
    """Broken plugins first, since they need attention; then all architectures."""
    st.markdown("#### Plugins")
    with st.skeleton(height=300):
        registry = state.registry()
    st.markdown(
        f"{len(registry.architectures)} architectures are ready"
        + (f", {len(registry.broken)} plugins are broken." if registry.broken else ".")
    )
    for broken in registry.broken:
        with st.container(border=True):
            st.markdown(f":red[:material/error:] **{broken.source.name}** is broken")
            st.markdown(broken.reason)
            st.caption(broken.source.origin)
            if broken.trace:
                with st.expander("Where in its code"):
                    st.code(broken.trace, language="python", wrap_lines=True)
    st.dataframe(
        [
            {
                "architecture": architecture.name,
                "summary": architecture.summary,
                "weights": architecture.weights,
                "parameters": ", ".join(p.name for p in architecture.parameters),
                "plugin": architecture.source.name,
                "origin": architecture.source.origin,
            }
            for architecture in registry.architectures.values()
        ],
        hide_index=True,
        column_config={
            "weights": st.column_config.NumberColumn(
                format="localized", help="With default parameters, on MNIST"
            ),
            "summary": st.column_config.TextColumn(width="large"),
        },
    )
    st.caption(
        "A plugin is a Python file with a class and one hook. The explorer loads those in its "
        "`plugins/` folder, in the folders that `EXPLORER_PLUGINS` names, and those of installed "
        "packages. A plugin is code that runs as you do: load only what you trust."
    )
