"""What no type checker may let pass: every statement that is marked is wrong."""

from langchain_core.language_models import BaseChatModel

from langchain_reliable import CallOptions, Candidate, Group, ReliableChatModel
from langchain_reliable.testing import ScriptedChatModel

a: BaseChatModel = ScriptedChatModel(model="a")

ReliableChatModel(models=[1, 2])  # wrong
ReliableChatModel(models=a)  # wrong
ReliableChatModel(models=[[[a]]])  # wrong
ReliableChatModel(models=[ScriptedChatModel])  # wrong
ReliableChatModel()  # wrong
ReliableChatModel(models=[a], max_retries="many")  # wrong
ReliableChatModel(models=[a], commit_on="sometimes")  # wrong
ReliableChatModel(models=[a], model_fallbacks={"a": 1})  # wrong
ReliableChatModel(models=[a], verdicts={"atuh": "raise"})  # wrong
ReliableChatModel(models=[a], verdicts={"auth": "rise"})  # wrong
ReliableChatModel(models=[a], observers=[3])  # wrong
ReliableChatModel(models=[a], max_retrys=3)  # wrong
Candidate(3)  # wrong
Candidate(a, max_retries="many")  # wrong
Candidate(a, wait=3)  # wrong
Candidate(a, "name")  # wrong
Group(a)  # wrong
Group([a], order="random")  # wrong
CallOptions(start_at=3)  # wrong
