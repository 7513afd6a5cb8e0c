"""Inputs that are not what they should be, made by rule, and the parsers that must take or refuse them."""
