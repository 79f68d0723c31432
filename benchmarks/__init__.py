"""What `langchain_reliable` costs beside the same model called directly.

`python -m benchmarks` (`make bench`) measures, `python -m benchmarks --readme` puts the
last table into the README; docs/numbers.md says how it is measured and what the rows
mean. The modules that begin with `soak` are another command, `make soak`.

```text
row.py          what a row is
rows.py         what is measured, with which target: streams and calls
rows_of_people.py  the same of applications: tools, agents, groups, outages
views.py        what applications make of a model: tools, agents
litellm_router.py  LiteLLM's Router, in a process and an environment of its own
contestants.py  the bare model, what LangChain brings along, and ours in several ways
children.py     the models beneath: an instant one, a dead one, the real clients
provider.py     the simulator in a process of its own
works.py        what is timed, each for sync and async
rounds.py       the method: whose turn it is, the collector, the warm-up
imports.py      the price of `import langchain_reliable`
summary.py      medians, paired ratios, verdicts: plain data, ready for JSON
report.py       the table, and the README's section
machine.py      what it was measured on
```
"""
