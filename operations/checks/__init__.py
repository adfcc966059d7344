"""Checks of an installation: each asks one question, and answers with a value.

None of them raises for what it looks for: what is wrong is the answer.
"""
