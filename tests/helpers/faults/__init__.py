"""Faults brought about for real: processes that are killed, a database that goes away; and what was lost by them."""
