"""Whether a judge of pairs is to be trusted: its verdicts beside people's labels."""

from surefoot.auditing.judges.audit import JudgeAudit, audit_judge, material_of
from surefoot.auditing.judges.diagnostics import judge_diagnostics
from surefoot.auditing.judges.material import JudgeMaterial

__all__ = ["JudgeAudit", "JudgeMaterial", "audit_judge", "judge_diagnostics", "material_of"]
