"""Which member of a group is asked first: by turn, by load, by price, by conversation.

Members are known by their places in the group. A picker is asked for one of those that
are free, so that the share of a member that is out goes to all others. Its owner holds
a lock around it; chance, time and load come in with the question.
"""
