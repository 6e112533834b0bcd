"""What makes a preference objective: margin losses, label models, risks, the validator."""
