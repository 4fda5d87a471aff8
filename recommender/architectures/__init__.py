"""The ranking models: one module an architecture, all in `registry.ARCHITECTURES`."""
