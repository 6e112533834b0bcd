"""What is wrong with these preferences, and how far are they from where they will be used?"""

from surefoot.auditing.diagnosis import Diagnosis, diagnoses
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.auditing.diagnostics import diagnostics
from surefoot.auditing.picture import Arrows, Cells, Counts, Curves, Dots, Picture
from surefoot.auditing.preferences import Audit, audit

__all__ = [
    "Arrows",
    "Audit",
    "Cells",
    "Counts",
    "Curves",
    "Diagnosis",
    "Diagnostic",
    "Dots",
    "Lacking",
    "Measurement",
    "Picture",
    "RowScores",
    "audit",
    "diagnoses",
    "diagnostics",
]
