"""Decides who the members of an Auto Scaling group are: `(roster before, observation, events, now) -> decision`.

Pure. Knows nothing of rules, of peers' rosters or of hooks.

AWS's answers are facts, but they may be stale. An event or a row may come from anyone who can write to the queue or to
the table: it is a hint. So no event makes a member of an instance that AWS does not show as one, and none ends a
membership that AWS still shows.
"""
