"""`python -m langchain_reliable`: the command."""

from langchain_reliable._cli.main import main

raise SystemExit(main())
