"""The dialogs at the end of an operator: the answer, pictures, and buttons that lead on."""
