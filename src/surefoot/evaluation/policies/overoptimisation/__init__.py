"""Over-optimisation: what is wanted while a reward that stands in for it grows (2210.10760).

`curve` holds best-of-n, where nothing is drawn; `choosing` asks reward models and says what came
out; `along_training` reads the history of a run; both fit the law of `law`.
"""
