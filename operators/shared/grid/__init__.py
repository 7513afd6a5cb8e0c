"""What operators and panels do to the App's grid: fields, panels beside it, and views on top of the user's own."""
