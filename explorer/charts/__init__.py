"""Plotly figures and SVG drawings of what the core computed; each is a pure function."""
