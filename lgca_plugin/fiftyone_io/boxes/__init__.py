"""The boxes of a label field as samples of a dataset of their own, and what is found about them, on the labels."""
