"""What the browser draws beyond Streamlit's widgets: Python beside its JavaScript and CSS."""
