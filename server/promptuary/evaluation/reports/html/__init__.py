"""The HTML report: page, tables, charts as SVG, and the style sheet."""
