"""Whether a reward model is to be trusted, on preferences and on what a policy writes."""

from surefoot.auditing.models.audit import ModelAudit, audit_model, compared
from surefoot.auditing.models.diagnostics import model_diagnostics
from surefoot.auditing.models.material import ScoredPreferences

__all__ = ["ModelAudit", "ScoredPreferences", "audit_model", "compared", "model_diagnostics"]
