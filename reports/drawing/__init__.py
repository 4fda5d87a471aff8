"""Pictures: matplotlib in, SVG for the page and PNG and PDF for paper out."""
