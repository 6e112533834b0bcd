"""What is wrong with these preferences, and how far are they from where they will be used?"""

from surefoot.audit.deployment import DeploymentShift, deployment_shift

__all__ = ["DeploymentShift", "deployment_shift"]
