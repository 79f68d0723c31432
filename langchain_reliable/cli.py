"""The command's entry point; the command itself is in `_cli`."""

from langchain_reliable._cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    raise SystemExit(main())
