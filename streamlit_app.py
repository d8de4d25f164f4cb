"""The app: `streamlit run streamlit_app.py`."""

from streamlit import App

from explorer.ui.server import ROUTES, SCRIPT, lifespan

app = App(SCRIPT, routes=ROUTES, lifespan=lifespan)
