"""Whether a reward model is to be trusted, on preferences and on what a policy writes."""

from surefoot.auditing.models.audit import ModelAudit, ScoredPreferences, audit_model
from surefoot.auditing.models.diagnostics import model_diagnostics

__all__ = ["ModelAudit", "ScoredPreferences", "audit_model", "model_diagnostics"]
