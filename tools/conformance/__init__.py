"""Every integration beside a plain loop with the same seeds: what comes out must be equal, bit for bit.

``python -m tools.conformance`` trains all combinations of integration, setting and switch, and writes
``results/conformance.json`` and the table in ``docs/integrations.md``.
"""
