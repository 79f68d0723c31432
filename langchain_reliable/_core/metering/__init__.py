"""What a candidate has used of what it may use: tokens in a minute, money in a month.

Each is a frozen value with functions that return the next one. `rate_limits` puts them
together with requests a minute and requests at once.
"""
