"""Fitting heads: the task, its folds, the size of a ball, the coefficient of a control variate."""
