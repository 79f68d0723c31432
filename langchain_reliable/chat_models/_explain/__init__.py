"""What a model would do: `model.explain()`.

Each scenario is a trouble of the candidate that is asked first (or of all), rehearsed
with the very core that makes the calls; nobody is asked and nothing is remembered.
`scenarios` has the troubles, `rehearsal` carries calls through them, `settings` looks
for settings that cannot work, and `report` is what people see.
"""
