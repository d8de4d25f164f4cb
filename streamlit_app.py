"""The app: `streamlit run streamlit_app.py`."""

from streamlit import App

from explorer.ui.server import MIDDLEWARE, ROUTES, SCRIPT, lifespan, show_failure

app = App(
    SCRIPT,
    routes=ROUTES,
    middleware=MIDDLEWARE,
    lifespan=lifespan,
    on_script_error=show_failure,
)
