"""Training: the recipe, one step, the loop that yields what happens."""
