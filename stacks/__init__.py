"""What a stack file may say, and the wiring from it to components."""
