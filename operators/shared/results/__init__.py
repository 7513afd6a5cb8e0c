"""What operators return to those who see no dialogs: code, assistants and the queue."""
