"""Turns what the core computed into Plotly figures. Each chart is a pure function."""
