"""What a provider's exception means.

The facts stand in tables (`table_codes`, `table_statuses`, `table_classes`,
`table_phrases`), one small reading of them in `interpreter`. What is done about a
failure is decided in `_core`. Nothing here imports an SDK, and the tables are loaded
with the first model, not with the package.
"""
