"""Words for people, and what makes foreign text safe to show.

Failures in words, tables of attempts, lines of the terminal, and the one gate for text
that is not ours: secrets hidden, control characters made harmless, cut to length.
The private names of LangChain's stand here as well, under all folders that use them.
"""
