"""What is shown, without a widget."""
