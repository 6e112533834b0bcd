"""Did it help? Accuracy, calibration, groups, baselines, suites."""
