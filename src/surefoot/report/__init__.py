"""Self-contained HTML pages: one file each, no scripts, nothing fetched.

Import the pages where they are needed (`surefoot.report.damage`, `surefoot.report.evaluation`):
they load jinja2 and matplotlib.
"""
