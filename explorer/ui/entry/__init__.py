"""The script that Streamlit runs. Beside `pages/`, Streamlit would take that for its own pages."""
