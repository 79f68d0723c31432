"""Three deployments with limits under load: who meets the limits, who loses calls.

`python -m benchmarks.limits` (`make limits`) sends the same calls at the same moments
to LiteLLM's Router and to ours, each in a process of its own, and puts the table into
docs/numbers.md. It takes two minutes for each way in which a provider may count, in
real time: routers count by the clock on the wall, which can't be turned for them all.

```text
load.py       the calls, and what became of them; plain Python, for every environment
provider.py   the simulator, with three deployments for each contestant and real 429s
ours.py       our model, in a process
litellm.py    LiteLLM's Router, in a process of its own environment
contest.py    one run of all of them, side by side
page.py       the table
```
"""
