"""What a provider's exception means.

The facts stand in tables (`table_codes`, `table_code_words`, `table_statuses`,
`table_classes`, `table_phrases`); `judgement` reads them for one exception,
`interpreter` for a chain of them. What is done about a
failure is decided in `_core`. Nothing here imports an SDK, and the tables are loaded
with the first model, not with the package.
"""
