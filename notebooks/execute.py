"""Execute the notebooks in place, so that their outputs are what the code does."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def execute(path: Path) -> nbformat.NotebookNode:
    """Run a notebook from its first cell to its last."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of the machine: noise in a diff
    return notebook


if __name__ == "__main__":
    chosen = sys.argv[1:] or sorted(map(str, HERE.glob("*.ipynb")))
    for name in chosen:
        nbformat.write(execute(Path(name)), name)
        print(name)
