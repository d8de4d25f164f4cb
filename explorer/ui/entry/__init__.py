"""The script that Streamlit runs, in its own folder: pages beside it would be listed twice."""
