"""What is wrong with these preferences, and how far are they from where they will be used?"""

from surefoot.audit.diagnosis import Diagnosis, diagnoses
from surefoot.audit.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.audit.diagnostics import diagnostics
from surefoot.audit.picture import Arrows, Cells, Counts, Curves, Dots, Picture
from surefoot.audit.preferences import Audit, audit

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
